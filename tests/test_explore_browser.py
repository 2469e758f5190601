"""Static figures move in a real browser, from a file, with the network cut off."""

import itertools

import matplotlib.pyplot as plt
import pytest

from lib.explore import explore

HEIGHTS = [1, 2, 3, 4, 5]


def bar(height):
    fig, ax = plt.subplots(figsize=(4, 2))
    ax.bar([0], [height])
    ax.set(ylim=(0, 6))
    return fig


def cell(row, column, tone):
    fig, ax = plt.subplots(figsize=(4, 2))
    ax.scatter([column], [row], s=400, c=[tone], cmap="viridis", vmin=0, vmax=2)
    ax.set(xlim=(-1, 4), ylim=(-1, 3))
    return fig


@pytest.fixture(scope="module")
def figures():
    caption = "Try every height and notice the bar."
    labels = {"height": "height h"}
    bars = explore(bar, alt="A bar of height {height}.", caption=caption, labels=labels,
                   height=HEIGHTS, initial={"height": 3}, mode="static")
    player = explore(bar, alt="A playing bar of height {height}.", caption=caption,
                     height=HEIGHTS, play=True, mode="static")
    cells = explore(cell, alt="A dot in row {row}, column {column}, tone {tone}.",
                    caption="Three sliders.", row=["low", "high"], column=[0, 1, 2, 3],
                    tone=[0, 1, 2], mode="static")
    return {"bars": bars, "player": player, "cells": cells}


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that opens figures as one page and fails on any error or request."""
    contexts, problems = [], []

    def open_figures(*shown, width=1280, **options):
        body = "\n".join(figure.html for figure in shown)
        (tmp_path / "page.html").write_text(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
            f"<body><main><h1>Figures</h1>{body}</main></body></html>",
            encoding="utf-8",
        )
        context = browser.new_context(
            viewport={"width": width, "height": 900}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on(
            "request",
            lambda request: request.url.startswith(("file:", "data:"))
            or problems.append(request.url),
        )
        page.goto((tmp_path / "page.html").as_uri())
        return page

    yield open_figures
    for context in contexts:
        context.close()
    assert problems == []


def state(figure):
    """Return the frame number, the alt text and the picture that a figure shows."""
    img = figure.locator("img")
    assert img.evaluate("img => img.decode().then(() => img.naturalWidth)") > 0
    return (
        int(figure.get_attribute("data-frame")),
        img.get_attribute("alt"),
        img.get_attribute("src"),
    )


def slider_at(slider, fraction):
    box = slider.bounding_box()
    inset = 8   # the thumb's center stays this far from the ends
    return box["x"] + inset + fraction * (box["width"] - 2 * inset), box["y"] + box["height"] / 2


def test_keyboard_moves_picture_alt_and_frame(open_page, figures):
    page = open_page(figures["bars"])
    figure = page.locator("figure.explore")
    slider = page.get_by_role("slider", name="height h")
    before = state(figure)
    assert before[:2] == (2, "A bar of height 3.")
    page.keyboard.press("Tab")
    assert slider.evaluate("x => x === document.activeElement")
    assert slider.evaluate("x => getComputedStyle(x).outlineStyle") == "solid"
    page.keyboard.press("ArrowRight")
    after = state(figure)
    assert after[:2] == (3, "A bar of height 4.")
    assert after[2] != before[2]
    assert figure.locator("output").inner_text() == "4"
    assert slider.get_attribute("aria-valuetext") == "4"
    assert figure.locator("[aria-live=polite]").inner_text() == "A bar of height 4."
    page.keyboard.press("Home")
    assert state(figure)[:2] == (0, "A bar of height 1.")
    page.keyboard.press("End")
    assert state(figure)[:2] == (4, "A bar of height 5.")
    page.keyboard.press("ArrowRight")
    assert state(figure)[0] == 4
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert state(figure) == before


def test_mouse_drags_the_slider(open_page, figures):
    page = open_page(figures["bars"])
    figure = page.locator("figure.explore")
    slider = figure.locator("input")
    page.mouse.move(*slider_at(slider, 0.5))
    page.mouse.down()
    seen = []
    for fraction in (0.6, 0.75, 0.9, 1.0):
        page.mouse.move(*slider_at(slider, fraction))
        seen.append(state(figure)[0])
    page.mouse.up()
    assert seen[-1] == 4
    assert seen == sorted(seen)
    assert 3 in seen, "the picture follows during the drag"
    page.mouse.click(*slider_at(slider, 0.25))
    assert state(figure)[:2] == (1, "A bar of height 2.")


def test_touch_taps_and_drags_the_slider_on_a_phone(open_page, figures):
    page = open_page(figures["bars"], width=390, has_touch=True, is_mobile=True)
    figure = page.locator("figure.explore")
    slider = figure.locator("input")
    page.touchscreen.tap(*slider_at(slider, 1.0))
    assert state(figure)[:2] == (4, "A bar of height 5.")
    client = page.context.new_cdp_session(page)

    def touch(kind, *point):
        points = [{"x": point[0], "y": point[1]}] if point else []
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", *slider_at(slider, 1.0))
    for fraction in (0.8, 0.6, 0.4, 0.25):
        touch("touchMove", *slider_at(slider, fraction))
    touch("touchEnd")
    page.wait_for_function("document.querySelector('figure').dataset.frame == 1")
    assert state(figure)[:2] == (1, "A bar of height 2.")


@pytest.mark.parametrize("width", [390, 1280])
def test_layout_fits_and_nothing_jumps(open_page, figures, width):
    page = open_page(figures["bars"], figures["cells"], width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for slider in page.locator("input").all():
        assert slider.bounding_box()["height"] >= 24
    figure = page.locator("figure.explore").first
    before = figure.bounding_box()
    img = figure.locator("img").bounding_box()
    assert img["width"] / img["height"] == pytest.approx(2, rel=0.01)
    figure.locator("input").press("End")
    assert figure.bounding_box() == before


def test_three_sliders_reach_every_frame(open_page, figures):
    page = open_page(figures["cells"])
    figure = page.locator("figure.explore")
    row, column, tone = figure.locator("input").all()
    seen = []
    for i, j, k in itertools.product(range(2), range(4), range(3)):
        for slider, value in ((row, i), (column, j), (tone, k)):
            slider.fill(str(value))
        frame, alt, _ = state(figure)
        label = ["low", "high"][i]
        assert alt == f"A dot in row {label}, column {j}, tone {k}."
        seen.append(frame)
    assert seen == list(range(24))


def test_figures_on_one_page_move_alone_even_twins(open_page, figures):
    page = open_page(figures["bars"], figures["cells"], figures["bars"])
    first, middle, twin = page.locator("figure.explore").all()
    before = state(middle), state(twin)
    first.locator("input").press("End")
    assert state(first)[0] == 4
    assert (state(middle), state(twin)) == before
    twin.locator("input").press("Home")
    assert (state(first)[0], state(twin)[0]) == (4, 0)


def test_play_runs_to_the_end_and_can_be_stopped(open_page, figures):
    page = open_page(figures["player"])
    figure = page.locator("figure.explore")
    button = page.get_by_role("button", name="Play")
    page.wait_for_timeout(700)
    assert state(figure)[0] == 0, "it does not start by itself"
    assert button.get_attribute("aria-pressed") == "false"
    assert button.bounding_box()["height"] >= 24
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    page.wait_for_function("document.querySelector('figure').dataset.frame >= 1")
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    stopped = state(figure)
    page.wait_for_timeout(700)
    assert state(figure) == stopped
    button.press("Enter")
    page.wait_for_function("document.querySelector('figure').dataset.frame == 4")
    page.wait_for_selector("button[aria-pressed=false]")
    assert figure.locator("output").inner_text() == "5"
    button.press("Space")
    page.wait_for_function("document.querySelector('figure').dataset.frame < 4")
    figure.locator("input").press("End")
    assert button.get_attribute("aria-pressed") == "false", "a hand on the slider stops it"


def test_scripts_leave_no_globals(open_page, figures):
    names = "Object.getOwnPropertyNames(window).filter(name => !/^[0-9]+$/.test(name))"
    empty = set(open_page().evaluate(names))
    assert set(open_page(figures["bars"], figures["player"]).evaluate(names)) == empty


def test_a_reload_shows_the_picture_of_the_slider(open_page, figures):
    page = open_page(figures["bars"])
    page.locator("input").press("End")
    page.reload()
    frame, alt, _ = state(page.locator("figure.explore"))
    assert alt == f"A bar of height {page.locator('output').inner_text()}."
    assert frame == int(page.locator("input").input_value())


def test_without_scripts_the_first_picture_shows(open_page, figures):
    page = open_page(figures["bars"], java_script_enabled=False)
    img = page.locator("figure.explore img")
    assert img.is_visible()
    assert img.get_attribute("alt") == "A bar of height 3."
    assert not page.locator("input").is_visible(), "no dead sliders"
    assert page.locator("figcaption").is_visible()
