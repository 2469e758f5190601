"""The figure style: what is drawn where, and what is refused."""

import itertools
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb, to_rgba

from lib import plotting


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context():
        plotting.use_style()
        yield
    plt.close("all")


@pytest.fixture
def ax():
    ax = plt.subplots()[1]
    ax.set(xlim=(-2, 2), ylim=(-1, 1))
    return ax


def bowl(x):
    return x[..., 0] ** 2 / 2 + 2 * x[..., 1] ** 2


def contrast(a, b):
    def luminance(color):
        channels = np.array(to_rgb(color))
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    high, low = sorted([luminance(a), luminance(b)], reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_color_is_visible_on_the_paper():
    for name, color in plotting.COLORS.items():
        if name != "undecided":  # an area, never a line
            assert contrast(color, plotting.PAPER) >= 3, name


def test_methods_have_colors_of_their_own():
    names = list(plotting.COLORS)
    methods = names[: names.index("minimizer")]
    assert len({plotting.COLORS[name] for name in methods}) == len(methods)
    assert set(plotting.MARKERS) <= set(names)
    assert len({plotting.COLORS[kind] for kind in plotting.MARKERS}) == 4
    assert len(set(plotting.MARKERS.values())) == 4


# What linear red, green and blue become without cones for long or for medium wavelengths
# (Machado, Oliveira and Fernandes 2009).
VISION = {
    "usual": np.eye(3),
    "no long": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no medium": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}
TOGETHER = {
    "scalings": "cg mr gm alternating random",
    "estimates": "uniform row_norm leverage gaussian count hadamard",
    "stochastic methods": "sgd momentum_sgd nesterov_sgd adagrad rmsprop adam adamax amsgrad nadam",
    "safe steps": "gradient_descent adaptive_gradient_descent clipped_gradient_descent "
    "backtracking_gradient_descent",
}


def seen(color, vision):
    """Return a color's CIE L*a*b* coordinates as seen by people with this color vision."""
    srgb = np.array(to_rgb(color))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ linear / [0.9505, 1.0, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_methods_drawn_together_are_told_apart(names, vision):
    for a, b in itertools.combinations(names.split(), 2):
        apart = seen(plotting.COLORS[a], vision) - seen(plotting.COLORS[b], vision)
        assert np.linalg.norm(apart) > 20, (a, b)


def test_text_is_legible_on_a_phone():
    points_per_inch_on_screen = 358 / mpl.rcParams["figure.figsize"][0] / 72
    for key in ("font.size", "axes.labelsize", "xtick.labelsize", "legend.fontsize"):
        assert mpl.rcParams[key] * points_per_inch_on_screen >= 8.8, key


def test_contours_show_the_window_and_the_heights(ax):
    plotting.contours(ax, bowl, (-2, 2), (-1, 1), levels=[0, 0.5, 1, 2, 4])
    assert ax.get_xlim() == (-2, 2)
    assert ax.get_ylim() == (-1, 1)
    filled, lines = ax.collections
    ring = lines.get_paths()[list(lines.levels).index(0.5)].vertices
    np.testing.assert_allclose(bowl(ring), 0.5, atol=2e-3)
    assert list(filled.levels) == [0, 0.5, 1, 2, 4]


def test_contour_levels_spread_over_the_area(ax):
    plotting.contours(ax, lambda x: bowl(x) ** 4, (-2, 2), (-1, 1), levels=9, fill=False)
    (lines,) = ax.collections
    grid = np.stack(np.meshgrid(np.linspace(-2, 2, 50), np.linspace(-1, 1, 50)), axis=-1)
    heights = bowl(grid) ** 4
    below = [(heights <= level).mean() for level in lines.levels[1:-1]]
    assert below[0] < 0.7
    assert max(np.diff(below)) < 0.35


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (3, TypeError, "value must be a function"),
        (lambda x: x, ValueError, "value must return one height per point"),
        (lambda x: 0 * x[..., 0], ValueError, "value must not be constant"),
        (lambda x: np.nan * x[..., 0], ValueError, "value must be finite somewhere"),
    ],
)
def test_contours_name_what_is_wrong(ax, value, error, message):
    with pytest.raises(error, match=message):
        plotting.contours(ax, value, (-1, 1), (-1, 1))


def test_path_draws_every_iterate_and_keeps_the_window(ax):
    orbit = np.array([[1.5, 0.5], [0.5, -0.5], [0.2, 0.3], [0.1, 0.0]])
    line = plotting.path(ax, orbit, color="red", label="ours")
    np.testing.assert_array_equal(line.get_xydata(), orbit)
    dots, start = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), orbit[1:])
    np.testing.assert_array_equal(start.get_offsets(), orbit[:1])
    assert to_rgba(line.get_color()) == to_rgba("red")
    assert line.get_label() == "ours"
    assert ax.get_xlim() == (-2, 2)
    assert ax.get_ylim() == (-1, 1)


def test_path_survives_divergence(ax):
    orbit = np.array([[0.1, 0.1], [1.0, -3.0], [50.0, 9.0], [1e300, 0], [np.nan, np.inf]])
    line = plotting.path(ax, orbit)
    np.testing.assert_array_equal(line.get_xydata(), orbit[:3])
    ax.figure.canvas.draw()
    assert ax.get_xlim() == (-2, 2)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_path_may_be_short(ax, k):
    plotting.path(ax, np.zeros((k, 2)))
    ax.figure.canvas.draw()


def test_path_needs_pairs(ax):
    with pytest.raises(ValueError, match=r"xy must have shape \(k, 2\).*\(3,\)"):
        plotting.path(ax, [1, 2, 3])


def test_critical_points_get_marker_and_color_by_kind(ax):
    points = [
        SimpleNamespace(x=np.array([0.0, 0.0]), kind="strict saddle"),
        SimpleNamespace(x=[1, 0], kind="minimizer"),
        SimpleNamespace(x=[-1, 0], kind="minimizer"),
        SimpleNamespace(x=[9, 0], kind="maximizer"),
    ]
    plotting.critical_points(ax, points, legend=True)
    assert [c.get_label() for c in ax.collections] == ["minimizer", "strict saddle"]
    np.testing.assert_array_equal(ax.collections[0].get_offsets(), [[1, 0], [-1, 0]])
    face = ax.collections[0].get_facecolor()[0]
    assert tuple(face) == to_rgba(plotting.COLORS["minimizer"])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["minimizer", "strict saddle"]
    with pytest.raises(ValueError, match="points must be of kind.*'hill'"):
        plotting.critical_points(ax, [SimpleNamespace(x=[0, 0], kind="hill")])


def test_basins_colors_do_not_depend_on_which_labels_occur():
    def colors(labels):
        ax = plt.subplots()[1]
        plotting.basins(ax, labels, (0, 1, 0, 1), names=["left", "right"])
        (image,) = ax.images
        rgba = image.to_rgba(image.get_array())
        legend = {
            text.get_text(): patch.get_facecolor()
            for text, patch in zip(
                ax.get_legend().get_texts(), ax.get_legend().get_patches(), strict=True
            )
        }
        return rgba, legend

    both, legend = colors(np.array([[0, 1], [-1, -2]]))
    only, short = colors(np.array([[0, 0], [0, 0]]))
    np.testing.assert_array_equal(both[0, 0], only[1, 1])
    assert list(legend) == ["left", "right", "diverged", "undecided"]
    assert list(short) == ["left", "right"]
    for (row, column), name in zip(np.ndindex(2, 2), legend, strict=True):
        np.testing.assert_allclose(both[row, column], legend[name])
    assert len({tuple(c) for c in both.reshape(4, 4)}) == 4


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "two-dimensional"),
        (np.empty((0, 3), int), "not empty"),
        ([[0.0, 1.0]], "integers"),
        ([[-3, 0]], "must be -2, -1, 0"),
    ],
)
def test_basins_need_an_image_of_labels(ax, labels, message):
    with pytest.raises(ValueError, match=f"labels must be.*{message}|{message}"):
        plotting.basins(ax, labels, (0, 1, 0, 1))


def test_theory_is_a_dashed_line_and_measurements_are_dots(ax):
    x = np.array([1.0, 2.0, 3.0])
    plotting.theory_vs_measured(
        ax, x, [1, 4], [1, 2, 3], theory_x=[1, 4], interval=([0, 1, 2], [2, 3, 4])
    )
    theory, dots = ax.get_lines()
    assert theory.get_linestyle() == "--"
    np.testing.assert_array_equal(theory.get_xydata(), [[1, 1], [4, 4]])
    np.testing.assert_array_equal(dots.get_xydata(), [[1, 1], [2, 2], [3, 3]])
    bars = [path.vertices for path in ax.collections[0].get_paths()]
    np.testing.assert_array_equal(bars, [[[1, 0], [1, 2]], [[2, 1], [2, 3]], [[3, 2], [3, 4]]])
    with pytest.raises(ValueError, match="measured must have the shape of x"):
        plotting.theory_vs_measured(ax, x, x, [1])
    with pytest.raises(ValueError, match="predicted must have shape"):
        plotting.theory_vs_measured(ax, x, [1], x)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_line_labels_do_not_overlap_and_stay_with_their_lines(scale):
    ax = plt.subplots()[1]
    x = np.linspace(1, 9)
    for k, height in enumerate([10, 10.01, 10.02, 90]):
        ax.plot(x, 0 * x + height, label=f"line {k}", color=f"C{k}")
    ax.plot(x, 0 * x + 50)
    ax.set(xlim=(1, 9), ylim=(1, 100), yscale=scale)
    plotting.label_lines(ax)
    ax.figure.canvas.draw()
    assert [t.get_text() for t in ax.texts] == [f"line {k}" for k in range(4)]
    boxes = [t.get_window_extent() for t in ax.texts]
    for low, high in zip(boxes, boxes[1:], strict=False):
        assert high.y0 >= low.y1
    middle = ax.transData.transform([9, 90])[1]
    assert abs((boxes[3].y0 + boxes[3].y1) / 2 - middle) < 3
    assert all(box.x1 <= ax.figure.bbox.x1 for box in boxes)
    for line, text in zip(ax.get_lines(), ax.texts, strict=False):
        assert text.get_color() == line.get_color()


def test_legends_and_labels_without_the_course_style():
    with mpl.rc_context(mpl.rcParamsDefault):
        ax = plt.subplots()[1]
        ax.plot([0, 1], label="line")
        plotting.label_lines(ax)
        plotting.basins(ax, [[0, 1]], (0, 1, 0, 1), names=["left", "right"])
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["left", "right"]
        assert [text.get_text() for text in ax.texts] == ["line"]


def test_label_lines_without_labels_does_nothing(ax):
    ax.plot([0, 1])
    plotting.label_lines(ax)
    assert list(ax.texts) == []


def test_legend_meets_neither_title_nor_axis_label(ax):
    ax.set(title="A title", xlabel="$x_1$")
    plotting.critical_points(
        ax, [SimpleNamespace(x=[0, 0], kind=kind) for kind in plotting.MARKERS], legend=True
    )
    ax.figure.canvas.draw()
    legend = ax.get_legend().get_window_extent()
    assert not legend.overlaps(ax.xaxis.label.get_window_extent())
    assert legend.y0 >= 0
    assert legend.x1 <= ax.figure.bbox.x1


def test_use_style_outside_a_notebook_only_sets_defaults():
    mpl.rcParams["axes.grid"] = False
    plotting.use_style()
    assert mpl.rcParams["axes.grid"] is True
    assert mpl.rcParams["figure.facecolor"] == plotting.PAPER


def test_use_style_in_a_notebook_keeps_the_whole_canvas():
    backend = pytest.importorskip("matplotlib_inline.config")
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell")
    interactiveshell.InteractiveShell.instance()
    try:
        plotting.use_style()
        assert backend.InlineBackend.instance().print_figure_kwargs == {"bbox_inches": None}
    finally:
        backend.InlineBackend.clear_instance()
        interactiveshell.InteractiveShell.clear_instance()
