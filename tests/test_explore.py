"""`explore` draws every frame ahead without a kernel, and on demand with one."""

import base64
import io
import json
import math
from html.parser import HTMLParser

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from lib.explore import explore

ALT = "A line with slope {slope}."
CAPTION = "Try <em>the steepest</em> line and notice that \\(y = sx\\)."


@pytest.fixture(autouse=True)
def no_figure_leaks():
    plt.close("all")
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def calls():
    return []


@pytest.fixture
def draw(calls):
    def draw_line(slope):
        calls.append(slope)
        fig, ax = plt.subplots(figsize=(2, 1.5))
        ax.set(xlim=(0, 1), ylim=(0, 4))
        ax.plot([0, 1], [0, slope])
        return fig

    return draw_line


def static(draw, **options):
    return explore(draw, **{"alt": ALT, "caption": CAPTION, "mode": "static", **options})


def live(draw, **options):
    return explore(draw, **{"alt": ALT, "caption": CAPTION, "mode": "live", **options})


class Page(HTMLParser):
    """Collects the elements of a page and the text inside each."""

    VOID = {"img", "input", "br", "meta", "link"}

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", **dict(attributes)}
        self.elements.append(element)
        if tag not in self.VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [e for e in self.elements if e["tag"] == tag]

    def one(self, tag):
        (element,) = self.all(tag)
        return element

    @property
    def frames(self):
        (script,) = [e for e in self.all("script") if e.get("class") == "explore-frames"]
        assert script["type"] == "application/json"
        return json.loads(script["text"])


def decoded(src):
    head, data = src.split(",")
    assert head in ("data:image/webp;base64", "data:image/png;base64")
    return Image.open(io.BytesIO(base64.b64decode(data)))


# -- static ------------------------------------------------------------------------------------


def test_static_bundle_is_one_figure_with_a_still_picture_and_all_frames(draw, calls):
    result = static(draw, slope=[1, 2, 3], initial={"slope": 2}, labels={"slope": "slope <s>"})
    bundle = result._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    page = Page(bundle["text/html"])
    figure, img, slider = page.one("figure"), page.one("img"), page.one("input")
    assert figure["class"] == "explore"
    assert figure["id"].startswith("explore-")
    assert figure["data-frame"] == "1"
    assert img["alt"] == "A line with slope 2."
    assert [frame["alt"] for frame in page.frames] == [ALT.format(slope=s) for s in (1, 2, 3)]
    assert img["src"] == page.frames[1]["src"]
    assert len({frame["src"] for frame in page.frames}) == 3
    assert (slider["type"], slider["min"], slider["max"], slider["value"]) == ("range", *"021")
    assert slider["aria-valuetext"] == "2"
    assert json.loads(slider["data-texts"]) == ["1", "2", "3"]
    assert page.one("label")["for"] == slider["id"] == page.one("output")["for"]
    assert page.one("label")["text"] == "slope <s>"
    assert page.one("output")["text"] == "2"
    assert page.one("figcaption")["text"] == "Try the steepest line and notice that \\(y = sx\\)."
    assert page.all("button") == []
    assert sorted(calls) == [1, 2, 3], "every frame is drawn exactly once"


def test_static_pictures_have_the_announced_size(draw):
    page = Page(static(draw, slope=[1, 2], dpi=80).html)
    img = page.one("img")
    for frame in page.frames:
        assert decoded(frame["src"]).size == (160, 120) == (int(img["width"]), int(img["height"]))


def test_static_pictures_show_what_draw_drew(draw):
    page = Page(static(draw, slope=[0.5, 3.5]).html)
    low, high = (np.asarray(decoded(f["src"]).convert("L"), float) for f in page.frames)
    assert np.abs(low - high).max() > 100


def test_tight_bounding_boxes_do_not_change_the_size(draw):
    with plt.rc_context({"savefig.bbox": "tight"}):
        page = Page(static(draw, slope=[1, 2], dpi=100).html)
    assert decoded(page.frames[0]["src"]).size == (200, 150)


def test_frames_are_in_row_major_order():
    def picture(a, b, c):
        return plt.figure(figsize=(1, 1))

    result = static(
        picture, alt="{a} {b} {c}", a=["x", "y"], b=[1, 2, 3], c=[0.5, 1.5],
        initial={"a": "y", "b": 2, "c": 1.5},
    )
    page = Page(result.html)
    wanted = [f"{a} {b} {c}" for a in "xy" for b in (1, 2, 3) for c in (0.5, 1.5)]
    assert [frame["alt"] for frame in page.frames] == wanted
    assert page.one("figure")["data-frame"] == str(1 * 6 + 1 * 2 + 1)
    assert page.one("img")["alt"] == "y 2 1.5"
    assert [slider["name"] for slider in page.all("input")] == ["a", "b", "c"]
    assert len({e["id"] for e in page.elements if "id" in e}) == 4
    assert result.n_frames == 12


def test_bytes_are_reported(draw):
    result = static(draw, slope=[1, 2])
    assert result.nbytes == len(result.html.encode())
    assert repr(result) == f"explore: 2 frames, {round(result.nbytes / 1e3)} kB"
    assert result._repr_mimebundle_()["text/plain"] == repr(result)


def test_style_and_script_are_small_and_load_nothing(draw):
    page = Page(static(draw, slope=[1, 2], play=True).html)
    (script,) = [e for e in page.all("script") if "class" not in e]
    assert len(script["text"]) + len(page.one("style")["text"]) < 4000
    assert "http" not in page.one("figure")["text"].replace(json.dumps(page.frames), "")
    assert not [e for e in page.elements if "href" in e or (e["tag"] != "img" and "src" in e)]


def test_ids_depend_on_the_content_and_not_on_the_run(draw):
    first = static(draw, slope=[1, 2])
    again = static(draw, slope=[1, 2])
    other = static(draw, slope=[1, 2], caption="Something else to notice.")
    assert first.html == again.html
    assert Page(first.html).one("figure")["id"] != Page(other.html).one("figure")["id"]


def test_play_button(draw):
    button = Page(static(draw, slope=[1, 2], play=True).html).one("button")
    assert (button["type"], button["aria-pressed"], button["text"]) == ("button", "false", "Play")


def test_alt_is_escaped_everywhere(draw):
    sly = 'He said "</script><b>" & left {slope}'
    page = Page(static(draw, alt=sly, slope=[1, 2]).html)
    assert page.one("img")["alt"] == sly.format(slope=1)
    assert page.frames[1]["alt"] == sly.format(slope=2)
    assert page.all("b") == []


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=3, unique=True))
def test_any_texts_survive_the_trip(words):
    words = [w.encode("utf-8", "replace").decode() for w in words]
    words = list(dict.fromkeys(words))

    def picture(word):
        return Figure(figsize=(0.5, 0.5))

    page = Page(static(picture, alt=lambda word: f"Word {word}", word=words).html)
    slider = page.one("input")
    assert json.loads(slider["data-texts"]) == words
    assert [f["alt"] for f in page.frames] == [" ".join(f"Word {w}".split()) for w in words]


def test_values_are_written_briefly_unless_that_hides_a_difference(draw):
    texts = json.loads(
        Page(static(draw, slope=np.linspace(0.1, 0.3, 3)).html).one("input")["data-texts"]
    )
    assert texts == ["0.1", "0.2", "0.3"]
    close = [1.0, 1.00000001]
    texts = json.loads(Page(static(draw, slope=close).html).one("input")["data-texts"])
    assert texts == ["1.0", "1.00000001"]


@pytest.mark.parametrize(
    "wanted", [".2f", "{:.2f}", lambda v: f"{v:.2f}"], ids=["spec", "braces", "function"]
)
def test_formats(draw, wanted):
    page = Page(static(draw, slope=[1, 2.5], formats={"slope": wanted}).html)
    assert json.loads(page.one("input")["data-texts"]) == ["1.00", "2.50"]
    assert page.frames[1]["alt"] == "A line with slope 2.50."


def test_alt_may_ask_for_its_own_format_or_be_a_function(draw):
    page = Page(static(draw, alt="Slope {slope:.3f}", slope=[1, 2]).html)
    assert page.frames[1]["alt"] == "Slope 2.000"
    page = Page(static(draw, alt=lambda slope: f"Rises by {slope + 1}", slope=[1, 2]).html)
    assert page.frames[1]["alt"] == "Rises by 3"


def test_draw_receives_plain_python_values(calls, draw):
    static(draw, slope=np.array([1.5, 2.5]))
    assert all(type(slope) is float for slope in calls)


def test_draw_may_return_axes_or_nothing():
    def axes(slope):
        ax = plt.subplots(figsize=(2, 1))[1]
        ax.plot([0, slope])
        return ax

    def nothing(slope):
        plt.plot([0, slope])

    assert static(axes, slope=[1, 2]).n_frames == 2
    stale = plt.figure()
    assert static(nothing, slope=[1, 2]).n_frames == 2
    assert stale.axes == []
    assert plt.gcf() is stale
    plt.close(stale)


def test_draw_may_end_with_show(draw, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: shown.append(args))
    ours = plt.show

    def draw_and_show(slope):
        figure = draw(slope)
        plt.show()
        return figure

    static(draw_and_show, slope=[1, 2])
    assert shown == []
    assert plt.show is ours


def test_a_figure_of_the_readers_own_is_left_as_it_was(draw):
    mine = plt.figure(dpi=77)
    canvas = mine.canvas
    static(lambda slope: mine, slope=[1])
    assert plt.get_fignums() == [mine.number]
    assert mine.dpi == 77
    assert mine.canvas is canvas
    plt.close(mine)


# -- live --------------------------------------------------------------------------------------


def test_live_draws_only_the_first_picture_and_then_on_demand(draw, calls):
    result = live(draw, slope=[1, 2, 3])
    assert calls == [1]
    assert isinstance(result.picture, ipywidgets.HTML)
    before = Page(result.picture.value).one("img")
    assert before["alt"] == "A line with slope 1."
    result.sliders["slope"].value = 3
    assert calls == [1, 3]
    after = Page(result.picture.value).one("img")
    assert after["alt"] == "A line with slope 3."
    assert after["src"] != before["src"]
    assert (after["width"], after["height"]) == (before["width"], before["height"])
    result.sliders["slope"].value = 1
    assert calls == [1, 3], "a picture that was drawn is remembered"
    assert Page(result.picture.value).one("img") == before


def test_live_and_static_show_the_same_picture(draw):
    shown = Page(live(draw, slope=[1, 2]).picture.value).one("img")
    assert shown == Page(static(draw, slope=[1, 2]).html).one("img")


def test_live_display_is_a_widget_with_the_caption(draw):
    result = live(draw, slope=[1, 2])
    bundle = result._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == "explore: 2 frames, drawn on demand"
    words = result.widget.children[-1]
    assert isinstance(words, ipywidgets.HTMLMath), "formulas in captions are typeset"
    assert CAPTION in words.value
    assert result.html is None


def test_live_sliders_show_labels_and_written_values(draw):
    slider = live(draw, slope=[1, 2], labels={"slope": "slope s"}, formats={"slope": ".1f"},
                  initial={"slope": 2}).sliders["slope"]
    assert isinstance(slider, ipywidgets.SelectionSlider)
    assert slider.description == "slope s"
    assert slider.value == 2
    assert slider.label == "2.0"


@pytest.mark.parametrize(
    ("values", "kind", "exact"),
    [
        ([0.5, 1.0, 2.0], ipywidgets.FloatSlider, 1.7),
        ([0.001, 0.1, 1.0], ipywidgets.FloatLogSlider, 0.02),
        ([1, 5, 9], ipywidgets.IntSlider, 4),
        (["a", "b"], ipywidgets.SelectionSlider, "b"),
    ],
)
def test_continuous_sliders_draw_at_the_exact_value(values, kind, exact):
    seen = []

    def picture(x):
        seen.append(x)
        return Figure(figsize=(1, 1))

    slider = live(picture, alt="At {x}", x=values, continuous=True).sliders["x"]
    assert type(slider) is kind
    assert slider.value == pytest.approx(values[0]) if values[0] != "a" else slider.value == "a"
    slider.value = exact
    assert seen == [values[0], exact]


def test_live_errors_are_shown_in_place_and_heal(draw):
    def fragile(slope):
        if slope == 2:
            raise ZeroDivisionError("slope <two> is not for me")
        return draw(slope)

    result = live(fragile, slope=[1, 2, 3])
    result.sliders["slope"].value = 2
    assert Page(result.picture.value).one("pre")["role"] == "alert"
    assert "ZeroDivisionError: slope <two> is not for me" in Page(result.picture.value).one(
        "pre")["text"]
    result.sliders["slope"].value = 3
    assert Page(result.picture.value).one("img")["alt"] == "A line with slope 3."


def test_live_play_moves_the_slider_and_back(draw):
    result = live(draw, slope=[1, 2, 3], play=True)
    (player,) = [w for w in result.widget.children if isinstance(w, ipywidgets.Play)]
    player.value = 2
    assert result.sliders["slope"].value == 3
    result.sliders["slope"].value = 2
    assert player.value == 1


def test_the_environment_chooses_the_mode(draw, monkeypatch):
    options = {"alt": ALT, "caption": CAPTION, "slope": [1, 2]}
    monkeypatch.setenv("COURSE_STATIC", "1")
    assert explore(draw, **options).html is not None
    monkeypatch.setenv("COURSE_STATIC", "0")
    assert explore(draw, **options).html is None
    monkeypatch.delenv("COURSE_STATIC")
    assert explore(draw, **options).html is None


def test_without_ipywidgets_figures_are_static(draw, monkeypatch):
    monkeypatch.delenv("COURSE_STATIC", raising=False)
    monkeypatch.setitem(explore.__globals__, "ipywidgets", None)
    options = {"alt": ALT, "caption": CAPTION, "slope": [1, 2]}
    assert explore(draw, **options).html is not None
    with pytest.raises(ValueError, match="needs ipywidgets"):
        explore(draw, mode="live", **options)


# -- budgets and errors ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["static", "live"])
def test_too_many_frames_are_refused_after_one(draw, calls, mode):
    with pytest.raises(ValueError, match=r"11 frames of about .* max_frames=10.*fewer values"):
        static(draw, slope=range(11), max_frames=10, mode=mode)
    assert len(calls) == 1


def test_too_many_bytes_are_refused(draw):
    with pytest.raises(ValueError, match=r"3 frames make \d+ kB.*max_bytes=5000.*lower dpi"):
        static(draw, slope=[1, 2, 3], max_bytes=5000)
    nbytes = static(draw, slope=[1, 2, 3]).nbytes
    assert static(draw, slope=[1, 2, 3], max_bytes=nbytes).nbytes == nbytes
    with pytest.raises(ValueError, match="max_bytes"):
        static(draw, slope=[1, 2, 3], max_bytes=nbytes - 1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "one to three sliders.*got 0"),
        ({"slope": [1], "b": [1], "c": [1], "d": [1]}, ValueError, "one to three.*got 4"),
        ({"slope": []}, ValueError, "slope must be a sequence.*got none"),
        ({"slope": 3}, TypeError, "slope must be a sequence.*got 3"),
        ({"slope": "abc"}, TypeError, "slope must be a sequence.*'abc'"),
        ({"slope": [1, None]}, TypeError, "slope.*None"),
        ({"slope": [[1, 2]]}, TypeError, "slope must be a sequence"),
        ({"slope": [1.0, math.nan]}, ValueError, "slope must hold finite numbers"),
        ({"slope": [1, 1]}, ValueError, "slope must not repeat"),
        ({"slope": [1], "initial": {"slop": 1}}, ValueError, "initial names 'slop'.*slope"),
        ({"slope": [1], "labels": {"slop": "s"}}, ValueError, "labels names 'slop'"),
        ({"slope": [1], "formats": {"slop": "s"}}, ValueError, "formats names 'slop'"),
        ({"slope": [1], "initial": 1}, TypeError, "initial must be a dict"),
        ({"slope": [1], "initial": {"slope": 2}}, ValueError, "initial.*slope.*got 2"),
        ({"slope": [1], "initial": {"slope": "1"}}, ValueError, "initial.*slope.*got '1'"),
        ({"slope": [1], "labels": {"slope": " "}}, ValueError, "labels.*slope"),
        ({"slope": [1], "formats": {"slope": 2}}, TypeError, "formats.*slope"),
        ({"slope": [1], "alt": ""}, ValueError, "alt must describe"),
        ({"slope": [1], "alt": lambda slope: "  "}, ValueError, "alt must describe"),
        ({"slope": [1], "alt": "{nobody}"}, ValueError, "alt must be a format string.*slope"),
        ({"slope": [1], "alt": None}, TypeError, "alt must be a text or a function"),
        ({"slope": [1], "caption": " "}, ValueError, "caption must"),
        ({"slope": [1], "mode": "fast"}, ValueError, "mode must be"),
        ({"slope": [1], "dpi": 0}, ValueError, "dpi must be"),
        ({"slope": [1], "quality": 101}, ValueError, "quality must be"),
        ({"slope": [1], "b": [1]}, TypeError, "draw must be callable with the sliders slope, b"),
    ],
)
@pytest.mark.parametrize("mode", ["static", "live"])
def test_bad_arguments_are_named(draw, options, error, message, mode):
    with pytest.raises(error, match=message):
        explore(draw, **{"alt": ALT, "caption": CAPTION, "mode": mode, **options})


def test_play_needs_one_slider():
    with pytest.raises(ValueError, match="play needs exactly one slider; got 2"):
        static(lambda a, b: plt.figure(), alt="x", a=[1], b=[1], play=True)


@pytest.mark.parametrize("mode", ["static", "live"])
@pytest.mark.parametrize(
    ("broken", "error", "message"),
    [
        ("not a function", TypeError, "draw must be a function"),
        (lambda slope: 3, TypeError, "draw must return a matplotlib figure; got int"),
        (lambda slope: None, ValueError, "draw must return the figure"),
    ],
)
def test_bad_draw_is_named(mode, broken, error, message):
    with pytest.raises(error, match=message):
        static(broken, slope=[1, 2], mode=mode)


def test_pictures_of_different_sizes_are_refused():
    def growing(slope):
        return plt.figure(figsize=(slope, 1))

    with pytest.raises(ValueError, match="figures of one size: 110 x 110.*220 x 110.*slope"):
        static(growing, slope=[1, 2])
    result = live(growing, slope=[1, 2])
    result.sliders["slope"].value = 2
    assert "figures of one size" in Page(result.picture.value).one("pre")["text"]


def test_an_error_in_draw_says_which_frame_and_leaves_no_figure(draw):
    def fragile(slope):
        draw(slope)
        if slope == 2:
            raise ArithmeticError("boom")
        return plt.gcf()

    with pytest.raises(ArithmeticError, match="boom") as caught:
        static(fragile, slope=[1, 2])
    assert any("slope=2" in note for note in caught.value.__notes__)
