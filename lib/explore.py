"""One cell, one figure, one to three sliders: with a kernel, and without any.

In a live notebook `explore` shows ipywidgets and draws a picture when a slider moves. While the
book is built (``COURSE_STATIC=1``) it draws every picture ahead and displays one piece of HTML
that needs no kernel, no library and no network.
"""

import base64
import hashlib
import html
import inspect
import io
import itertools
import json
import math
import numbers
import os
import traceback
from contextlib import contextmanager

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, features

from lib import _validation as check
from lib._validation import shown

try:
    import ipywidgets
except ImportError:
    ipywidgets = None

__all__ = ["Explore", "explore"]

_STYLE = """
.explore{margin:1rem auto;color:inherit}
.explore img{display:block;max-width:100%;height:auto;margin:0;border-radius:8px;
background:#fffdf9;filter:none!important}
.explore-controls{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));
gap:.25rem 1.5rem;align-items:end;margin:.5rem .25rem}
.explore-controls[hidden]{display:none}
.explore-slider{display:grid;grid-template-columns:1fr auto;gap:.2rem .5rem}
.explore-slider label{margin:0}
.explore-slider output{font-variant-numeric:tabular-nums;font-weight:600}
.explore-slider input{grid-column:1/3;width:100%;height:28px;margin:0;cursor:pointer;
accent-color:var(--pst-color-primary,#0b66a0)}
.explore button{justify-self:start;min-height:32px;padding:0 .9rem;border-radius:6px;font:inherit;
color:inherit;background:transparent;border:1px solid currentColor;cursor:pointer}
.explore button::before{content:"\\25B6\\FE0E\\00A0"}
.explore button[aria-pressed=true]::before{content:"\\275A\\275A\\00A0"}
.explore input:focus-visible,.explore button:focus-visible{outline:3px solid
var(--pst-color-primary,#0b66a0);outline-offset:0;border-radius:6px}
.explore-caption,.explore figcaption{margin:.25rem;padding:0;text-align:left;color:inherit;
font-family:inherit;font-weight:inherit}
.explore-live{position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;
clip-path:inset(50%);white-space:nowrap}
.explore-error{overflow:auto;padding:.5rem;border-left:4px solid #b3261e}
"""

_SCRIPT = """
document.querySelectorAll("figure.explore:not([data-ready])").forEach(figure => {
figure.dataset.ready = "";
const one = s => figure.querySelector(s), all = s => [...figure.querySelectorAll(s)];
const frames = JSON.parse(one(".explore-frames").textContent), img = one("img");
const inputs = all("input"), outputs = all("output"), button = one("button");
const texts = inputs.map(x => JSON.parse(x.dataset.texts));
let timer = 0;
const show = () => {
  let k = 0;
  inputs.forEach((x, j) => {
    const text = texts[j][+x.value];
    k = k * texts[j].length + +x.value;
    outputs[j].value = text;
    x.setAttribute("aria-valuetext", text);
  });
  if (figure.dataset.frame == k) return;
  figure.dataset.frame = k;
  img.src = frames[k].src;
  img.alt = frames[k].alt;
};
const stop = () => {
  clearInterval(timer);
  timer = 0;
  if (button) button.setAttribute("aria-pressed", "false");
};
inputs.forEach(x => {
  x.addEventListener("input", () => { stop(); show(); });
  x.addEventListener("change", () => { show(); one(".explore-live").textContent = img.alt; });
});
if (button) button.addEventListener("click", () => {
  if (timer) return stop();
  const x = inputs[0];
  if (x.value == x.max) x.value = 0;
  show();
  button.setAttribute("aria-pressed", "true");
  timer = setInterval(() => {
    x.value = +x.value + 1;
    show();
    if (x.value == x.max || !figure.isConnected) stop();
  }, 500);
});
one(".explore-controls").hidden = false;
show();
});
"""


def explore(
    draw,
    /,
    *,
    alt,
    caption,
    initial=None,
    labels=None,
    formats=None,
    play=False,
    continuous=False,
    max_frames=150,
    max_bytes=1_500_000,
    dpi=110,
    quality=65,
    mode=None,
    **sliders,
):
    """Show a figure that moves with one to three sliders.

    Parameters
    ----------
    draw : callable
        ``draw(**settings)`` draws one picture with matplotlib. It returns the figure or an axes,
        or draws on the current figure. All its pictures have the same size.
    alt : str or callable
        What the picture shows, for readers who do not see it. A format string with the sliders'
        names, ``"Gradient descent with learning rate {learning_rate}"``, or ``alt(**settings)``.
    caption : str
        What to try and what to notice. Simple HTML and ``\\(math\\)`` are kept.
    initial : dict, optional
        Where the sliders start; the first value of each by default.
    labels : dict, optional
        Names to show beside the sliders, as plain text (``"learning rate η"``).
    formats : dict, optional
        How to write a slider's values: a format such as ``".2f"``, or a callable.
    play : bool
        Add a Play button (one slider only). It never starts by itself.
    continuous : bool
        In a live notebook, let sliders of numbers take every value between the smallest and the
        largest one.
    max_frames, max_bytes : int
        Refuse figures above these budgets, so that a page stays light.
    dpi, quality : int
        Resolution of the pictures and quality of their WebP compression, 1 to 100.
    mode : {"static", "live"}, optional
        By default static if the environment says ``COURSE_STATIC=1`` or ipywidgets is missing.
    **sliders
        One to three sequences of numbers or strings, under the names that `draw` takes.

    Returns
    -------
    Explore
        Displays itself as the last expression of a cell.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> def draw(slope):
    ...     fig, ax = plt.subplots()
    ...     ax.plot([0, 1], [0, slope])
    ...     return fig
    >>> figure = explore(draw, slope=[1, 2, 3], alt="A line of slope {slope}.",
    ...                  caption="Move the slider: the line gets steeper.", mode="static")
    >>> figure.n_frames
    3

    Notes
    -----
    Used in every chapter; "How to use this book" shows how to make your own.
    """
    if not callable(draw):
        raise TypeError(f"draw must be a function of the sliders' values; got {shown(draw)}")
    if not isinstance(caption, str) or not caption.strip():
        raise ValueError("caption must be a text that says what to try and what to notice")
    play = check.flag(play, "play")
    continuous = check.flag(continuous, "continuous")
    max_frames = check.integer(max_frames, "max_frames", low=1)
    max_bytes = check.integer(max_bytes, "max_bytes", low=1)
    _check_range(dpi, "dpi", 30, 600)
    _check_range(quality, "quality", 1, 100)
    axes = _sliders(sliders, initial, labels, formats)
    if play and len(axes) > 1:
        raise ValueError(f"play needs exactly one slider; got {len(axes)}")
    _check_signature(draw, axes)
    if mode is None:
        static = os.environ.get("COURSE_STATIC", "") not in ("", "0")
        mode = "static" if static or ipywidgets is None else "live"
    check.choice(mode, "mode", ("static", "live"))
    if mode == "live" and ipywidgets is None:
        raise ValueError("mode='live' needs ipywidgets, which is not installed")
    frames = _Frames(draw, alt, axes, dpi, quality)
    first = frames.at(tuple(axis.values[axis.initial] for axis in axes))
    count = math.prod(len(axis.values) for axis in axes)
    if count > max_frames:
        raise ValueError(
            f"{count} frames of about {_size(len(first['src']))} each, "
            f"{_size(count * len(first['src']))} in all, are more than max_frames={max_frames}: "
            "give the sliders fewer values"
        )
    if mode == "static":
        return Explore(count, markup=_static(frames, axes, caption, play, max_bytes))
    return Explore(count, **_live(frames, axes, caption, play, continuous))


class Explore:
    """A figure with sliders, as returned by `explore`.

    Attributes
    ----------
    n_frames : int
        Number of pictures: the product of the numbers of values.
    html : str or None
        The self-contained HTML of a static figure.
    nbytes : int or None
        Size of `html` in bytes.
    sliders : dict
        The ipywidgets of a live figure by name; empty when static.
    picture : ipywidgets.HTML or None
        What holds the picture of a live figure.
    widget : ipywidgets.VBox or None
        The whole live figure.
    """

    def __init__(self, n_frames, *, markup=None, sliders=None, picture=None, widget=None):
        self.n_frames = n_frames
        self.html = markup
        self.nbytes = None if markup is None else len(markup.encode())
        self.sliders = sliders or {}
        self.picture = picture
        self.widget = widget

    def __repr__(self):
        size = "drawn on demand" if self.html is None else _size(self.nbytes)
        return f"explore: {self.n_frames} frame{'s' * (self.n_frames != 1)}, {size}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        if self.html is not None:
            return {"text/html": self.html, "text/plain": repr(self)}
        bundle = self.widget._repr_mimebundle_(include=include, exclude=exclude)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        return {**data, "text/plain": repr(self)}


class _Axis:
    """The values of one slider, how they are written, and where it starts."""

    def __init__(self, name, values, label, texts, initial, write):
        self.name, self.values, self.label = name, values, label
        self.texts, self.initial, self.write = texts, initial, write

    @property
    def numeric(self):
        return all(not isinstance(v, (str, bool)) for v in self.values)


class _Setting:
    """A slider's value inside an alt text: written like the slider unless a format is given."""

    def __init__(self, value, text):
        self.value, self.text = value, text

    def __format__(self, spec):
        return format(self.value, spec) if spec else self.text


class _Frames:
    """Draws pictures, encodes them and remembers them."""

    def __init__(self, draw, alt, axes, dpi, quality):
        self.draw, self.alt, self.axes, self.dpi, self.quality = draw, alt, axes, dpi, quality
        self.size = self.codec = None
        self.cache = {}

    def at(self, values):
        """Return ``{"src", "alt"}`` for these values of the sliders."""
        if values not in self.cache:
            settings = {axis.name: v for axis, v in zip(self.axes, values, strict=True)}
            image = _rendered(self.draw, settings, self.dpi)
            self.size = self.size or image.size
            if image.size != self.size:
                raise ValueError(
                    f"draw must return figures of one size: {self.size[0]} x {self.size[1]} "
                    f"pixels at first, {image.size[0]} x {image.size[1]} with {settings}"
                )
            if self.codec is None:
                self.codec = min(
                    _codecs(self.quality), key=lambda codec: len(_encoded(image, codec))
                )
            self.cache[values] = {
                "src": _encoded(image, self.codec),
                "alt": self.description(settings),
            }
        return self.cache[values]

    def description(self, settings):
        if callable(self.alt):
            text = self.alt(**settings)
        elif isinstance(self.alt, str):
            named = {
                axis.name: _Setting(settings[axis.name], axis.write(settings[axis.name]))
                for axis in self.axes
            }
            try:
                text = self.alt.format(**named)
            except (KeyError, IndexError, AttributeError, ValueError) as error:
                raise ValueError(
                    f"alt must be a format string with the sliders {', '.join(named)}; "
                    f"{self.alt!r} fails with {error!r}"
                ) from error
        else:
            raise TypeError(f"alt must be a text or a function; got {type(self.alt).__name__}")
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"alt must describe the picture in words; got {text!r}")
        return " ".join(text.split())

    def tag(self, frame):
        width, height = self.size
        return (
            f'<img class="dark-light" src="{frame["src"]}" alt="{html.escape(frame["alt"])}" '
            f'width="{width}" height="{height}">'
        )


def _rendered(draw, settings, dpi):
    """Call draw and return its picture; every figure that it opened is closed."""
    before = plt.get_fignums()
    current = plt.gcf().number if before else None
    try:
        with plt.ioff(), _quiet_show():
            blank = plt.figure()
            figure = _figure_of(draw(**settings), before, blank)
            return _raster(figure, dpi)
    finally:
        for number in set(plt.get_fignums()) - set(before):
            plt.close(number)
        if current in plt.get_fignums():
            plt.figure(current)


def _raster(figure, dpi):
    """Draw the whole canvas once; ``savefig`` would lay it out and draw it twice."""
    canvas, own_dpi = figure.canvas, figure.dpi
    try:
        figure.dpi = dpi
        agg = FigureCanvasAgg(figure)
        agg.draw()
        return Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB")
    finally:
        figure.dpi = own_dpi
        figure.set_canvas(canvas)


def _figure_of(result, before, blank):
    if isinstance(result, Figure):
        return result
    figure = getattr(result, "figure", None)
    if isinstance(figure, Figure):
        return figure
    if result is not None:
        raise TypeError(f"draw must return a matplotlib figure; got {type(result).__name__}")
    if plt.get_fignums():
        figure = plt.gcf()
        if figure.number not in before and (figure is not blank or blank.axes):
            return figure
    raise ValueError("draw must return the figure that it draws; it returned None")


@contextmanager
def _quiet_show():
    """A draw that ends with ``plt.show()`` must not display its figure a second time."""
    show = plt.show
    plt.show = lambda *args, **kwargs: None
    try:
        yield
    finally:
        plt.show = show


def _codecs(quality):
    """Return what may be tried: lossy wins for lines on tints, lossless for flat maps."""
    if not features.check("webp"):
        return [("png", {"optimize": True})]
    return [
        ("webp", {"quality": quality, "method": 4}),
        ("webp", {"lossless": True, "quality": 60, "method": 4}),
    ]


def _encoded(image, codec):
    """Return the picture as a data URI."""
    kind, options = codec
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _static(frames, axes, caption, play, max_bytes):
    grid = list(itertools.product(*(axis.values for axis in axes)))
    pictures = []
    for values in grid:
        try:
            pictures.append(frames.at(values))
        except Exception as error:
            settings = ", ".join(f"{a.name}={v!r}" for a, v in zip(axes, values, strict=True))
            error.add_note(f"This happened while explore drew the frame {settings}.")
            raise
    start = 0
    for axis in axes:
        start = start * len(axis.values) + axis.initial
    data = json.dumps(pictures, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    controls = [[axis.name, axis.label, axis.texts] for axis in axes]
    key = json.dumps([data, caption, controls, start, play]).encode()
    name = "explore-" + hashlib.sha256(key).hexdigest()[:10]
    inputs = "\n".join(_input(name, axis) for axis in axes)
    button = '\n<button type="button" aria-pressed="false">Play</button>' if play else ""
    width = f"max-width:{frames.size[0]}px"
    markup = f"""<figure class="explore" id="{name}" data-frame="{start}" style="{width}">
<style>{_STYLE}</style>
{frames.tag(pictures[start])}
<div class="explore-controls" hidden>
{inputs}{button}
</div>
<figcaption class="tex2jax_process mathjax_process">{caption}</figcaption>
<div class="explore-live" aria-live="polite"></div>
<script type="application/json" class="explore-frames">{data}</script>
<script>{_SCRIPT}</script>
</figure>"""
    nbytes = len(markup.encode())
    if nbytes > max_bytes:
        raise ValueError(
            f"{len(grid)} frames make {_size(nbytes)}, more than max_bytes={max_bytes}: "
            "give the sliders fewer values, or lower dpi or quality"
        )
    return markup


def _input(name, axis):
    key = f"{name}-{axis.name}"
    text = html.escape(axis.texts[axis.initial])
    texts = html.escape(json.dumps(axis.texts, ensure_ascii=False))
    return (
        f'<div class="explore-slider"><label for="{key}">{html.escape(axis.label)}</label>'
        f'<output for="{key}" aria-live="off">{text}</output>'
        f'<input type="range" id="{key}" name="{axis.name}" min="0" max="{len(axis.values) - 1}" '
        f'step="1" value="{axis.initial}" aria-valuetext="{text}" data-texts="{texts}" '
        'autocomplete="off"></div>'
    )


def _live(frames, axes, caption, play, continuous):
    sliders = {axis.name: _widget(axis, continuous) for axis in axes}
    picture = ipywidgets.HTML()

    def update(change=None):
        values = tuple(slider.value for slider in sliders.values())
        try:
            picture.value = frames.tag(frames.at(values))
        except Exception:
            message = html.escape(traceback.format_exc())
            picture.value = f'<pre class="explore-error" role="alert">{message}</pre>'

    update()
    for slider in sliders.values():
        slider.observe(update, names="value")
    controls = list(sliders.values())
    if play:
        controls.append(_play(controls[0], axes[0]))
    words = f'<style>{_STYLE}</style><p class="explore-caption">{caption}</p>'
    layout = ipywidgets.Layout(max_width=f"{frames.size[0]}px")
    widget = ipywidgets.VBox([picture, *controls, ipywidgets.HTMLMath(words)], layout=layout)
    widget.add_class("explore")
    return {"sliders": sliders, "picture": picture, "widget": widget}


def _widget(axis, continuous):
    common = {
        "description": axis.label,
        "style": {"description_width": "initial"},
        "layout": ipywidgets.Layout(width="98%"),
    }
    start = axis.values[axis.initial]
    if not (continuous and axis.numeric and len(axis.values) > 1):
        options = list(zip(axis.texts, axis.values, strict=True))
        return ipywidgets.SelectionSlider(options=options, value=start, **common)
    low, high = min(axis.values), max(axis.values)
    if all(isinstance(v, int) for v in axis.values):
        return ipywidgets.IntSlider(value=start, min=low, max=high, **common)
    common["readout_format"] = ".4g"
    if low > 0 and high / low >= 100:
        bounds = {"min": math.log10(low), "max": math.log10(high), "step": 0.01}
        return ipywidgets.FloatLogSlider(value=start, **bounds, **common)
    step = (high - low) / 500
    return ipywidgets.FloatSlider(value=start, min=low, max=high, step=step, **common)


def _play(slider, axis):
    last = len(axis.values) - 1
    player = ipywidgets.Play(min=0, max=last, value=axis.initial, interval=500)
    if hasattr(slider, "index"):
        ipywidgets.link((player, "value"), (slider, "index"))
        return player

    def move(change):
        slider.value = axis.values[change["new"]]

    player.observe(move, names="value")
    return player


def _sliders(sliders, initial, labels, formats):
    if not 1 <= len(sliders) <= 3:
        raise ValueError(
            f"explore needs one to three sliders, such as learning_rate=[0.1, 0.2]; "
            f"got {len(sliders)}"
        )
    for argument, given in (("initial", initial), ("labels", labels), ("formats", formats)):
        if given is not None and not isinstance(given, dict):
            raise TypeError(f"{argument} must be a dict keyed by slider; got {shown(given)}")
        unknown = [key for key in given or {} if key not in sliders]
        if unknown:
            raise ValueError(
                f"{argument} names {unknown[0]!r}, which is not a slider; "
                f"the sliders are {', '.join(sliders)}"
            )
    return [
        _axis(name, values, initial or {}, labels or {}, formats or {})
        for name, values in sliders.items()
    ]


def _axis(name, values, initial, labels, formats):
    wanted = f"{name} must be a sequence of numbers or strings"
    if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__len__"):
        raise TypeError(f"{wanted}; got {shown(values)}")
    try:
        if len(values) > 10**6:
            raise ValueError
        values = [v.item() if hasattr(v, "item") else v for v in values]
    except (TypeError, ValueError, OverflowError, IndexError):
        raise TypeError(f"{wanted}, at most a million; got {shown(values)}") from None
    if not values:
        raise ValueError(f"{wanted}, at least one; got none")
    for value in values:
        if not isinstance(value, (str, int, float)):
            raise TypeError(f"{wanted}; it holds {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must hold finite numbers; it holds {value!r}")
    if len(set(values)) < len(values):
        raise ValueError(f"{name} must not repeat a value; got {values}")
    write = _writer(formats.get(name), name)
    texts = [write(v) for v in values]
    if name not in formats and len(set(texts)) < len(texts):
        write = str
        texts = [write(v) for v in values]
    label = labels.get(name, name.replace("_", " "))
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"labels[{name!r}] must be a text; got {shown(label)}")
    start = _index(values, initial[name], name) if name in initial else 0
    return _Axis(name, values, label, texts, start, write)


def _writer(wanted, name):
    if wanted is None:
        return lambda v: f"{v:.6g}" if isinstance(v, float) else str(v)
    if callable(wanted):
        return lambda v: str(wanted(v))
    if isinstance(wanted, str):
        return wanted.format if "{" in wanted else lambda v: format(v, wanted)
    raise TypeError(
        f"formats[{name!r}] must be a format such as '.2f' or a function; got {shown(wanted)}"
    )


def _index(values, wanted, name):
    for k, value in enumerate(values):
        if isinstance(wanted, type(value)) and value == wanted:
            return k
        if isinstance(value, str) or not isinstance(wanted, numbers.Real):
            continue
        if math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12):
            return k
    raise ValueError(f"initial[{name!r}] must be one of the slider's values; got {shown(wanted)}")


def _check_signature(draw, axes):
    try:
        signature = inspect.signature(draw)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**{axis.name: axis.values[0] for axis in axes})
    except TypeError as error:
        names = ", ".join(axis.name for axis in axes)
        raise TypeError(f"draw must be callable with the sliders {names}: {error}") from None


def _check_range(x, name, low, high):
    if isinstance(x, bool) or not isinstance(x, numbers.Real) or not low <= x <= high:
        raise ValueError(f"{name} must be a number from {low} to {high}; got {shown(x)}")


def _size(nbytes):
    return f"{nbytes / 1e6:.2f} MB" if nbytes >= 1e6 else f"{max(1, round(nbytes / 1e3))} kB"
