"""Every figure style of the course, once.

Colors start from the palette of Okabe and Ito, darkened so that thin lines stay visible on paper.
A method has one color and a kind of critical point one color and one marker, in every chapter.
"""

import numbers

import matplotlib as mpl
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, is_color_like, to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.transforms import ScaledTranslation

from lib import _validation as check

__all__ = [
    "COLORS",
    "MARKERS",
    "basins",
    "contours",
    "critical_points",
    "label_lines",
    "path",
    "theory_vs_measured",
    "use_style",
]

PAPER = "#fffdf9"
INK = "#222222"

COLORS = {
    # methods
    "gradient_descent": "#0072B2",
    "perturbed_gradient_descent": "#C77F00",
    "proximal_point": "#B5588C",
    "sgd": "#2B93D1",
    "adaptive_gradient_descent": "#00875F",
    "adam": "#5D3A9B",
    "hessian_scaled": "#D55E00",
    "newton": INK,
    "clipped_gradient_descent": "#B03A6B",
    "backtracking_gradient_descent": "#7A5C3E",
    "restarted_sgd": "#8064BE",
    "barzilai_borwein": "#546E7A",
    "heavy_ball": "#2F6F4F",
    "nesterov": "#00707A",
    "coordinate_descent": "#8A6FB0",
    "approximate_newton": "#6B4F2A",
    "stochastic_hessian_scaled": "#B4632A",
    # the scalings of hessian_scaled
    "cg": "#C2410C",
    "mr": "#00808C",
    "gm": "#8A7400",
    "alternating": "#C2185B",
    "random": "#5B8C00",
    # the Hessian estimates of approximate_newton, by the name of scheme, sketch or variant
    "uniform": "#D1495B",
    "row_norm": "#A87900",
    "leverage": "#1B7F8C",
    "gaussian": "#6A4C93",
    "count": "#3E8E41",
    "hadamard": "#386FA4",
    "fixed": "#A0522D",
    # stochastic methods of part 5; "sgd" and "adam" stand above
    "momentum_sgd": "#1D4E89",
    "nesterov_sgd": "#3A7D7B",
    "adagrad": "#9A6A00",
    "rmsprop": "#C4472E",
    "adamax": "#A4308A",
    "amsgrad": "#5F7A1F",
    "nadam": "#8B1E3F",
    # neurons
    "alive": "#138A36",
    "dead": "#757575",
    # kinds of critical points
    "minimizer": "#00875F",
    "saddle": "#D55E00",
    "strict saddle": "#D55E00",
    "maximizer": "#5D3A9B",
    "degenerate": "#B87400",
    # roles
    "theory": INK,
    "measured": "#0072B2",
    "diverged": "#8C8C8C",
    "undecided": "#D5D2CA",
}

MARKERS = {"minimizer": "o", "strict saddle": "X", "maximizer": "^", "degenerate": "D"}

# Crosses and triangles look smaller than discs of the same area.
_AREA = {"strict saddle": 1.4, "maximizer": 1.15, "degenerate": 0.85}

# Basins of attraction: light enough for markers and paths on top, distinct for every eye.
_BASINS = ("#8CC5E8", "#F3C77B", "#8FD3B6", "#E3A6C6", "#C9B5E2", "#D8CBB3", "#F2E58A", "#E8A58A")

MOST_LABELS = 10_000
MOST_POINTS = 10**8

_HEIGHT = LinearSegmentedColormap.from_list("height", ["#DDE9F1", "#F6F6F1", "#F7E7D3"])


def use_style():
    """Set matplotlib's defaults for the course; call it at the top of a notebook.

    Notes
    -----
    Used in every chapter.
    """
    mpl.rcParams.update(
        {
            "figure.figsize": (5.6, 3.9),
            "figure.dpi": 130,
            "savefig.dpi": 130,
            "figure.facecolor": PAPER,
            "savefig.facecolor": PAPER,
            "axes.facecolor": PAPER,
            "figure.constrained_layout.use": True,
            "figure.constrained_layout.w_pad": 0.06,
            "figure.constrained_layout.h_pad": 0.06,
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.titlelocation": "left",
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": "#777777",
            "xtick.color": "#777777",
            "ytick.color": "#777777",
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E3E0D8",
            "grid.linewidth": 0.7,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "axes.prop_cycle": mpl.cycler(color=list(dict.fromkeys(COLORS.values()))[:8]),
            "axes.formatter.useoffset": False,
            "image.interpolation": "nearest",
            "svg.hashsalt": "gradient-course",
        }
    )
    _use_fixed_canvas()


def _use_fixed_canvas():
    """In a notebook, keep figures at their own size instead of cropping them."""
    try:
        from IPython import get_ipython
        from matplotlib_inline.config import InlineBackend
    except ImportError:
        return
    shell = get_ipython()
    if shell is not None:
        InlineBackend.instance(parent=shell).print_figure_kwargs = {"bbox_inches": None}


def contours(ax, value, xlim, ylim, *, levels=10, n=161, fill=True):
    """Draw the level lines of a function of two variables.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    value : callable
        Takes an array of shape (..., 2) and returns heights of shape (...); `Problem.value` does.
    xlim, ylim : tuple of two floats
        The window; it becomes the limits of `ax`.
    levels : int or sequence of floats
        How many lines, spread so that each band covers about the same area; or their heights.
    n : int
        Grid points per side.
    fill : bool
        Tint the bands: low is cool, high is warm.

    Examples
    --------
    A picture with everything in it:

    >>> import matplotlib.pyplot as plt
    >>> from lib import optimizers, plotting, problems
    >>> well = problems.double_well()
    >>> fig, ax = plt.subplots()
    >>> plotting.contours(ax, well.value, (-1.5, 1.5), (-1.5, 1.5))
    >>> line = plotting.path(ax, optimizers.gradient_descent(well, [1.0, 0.1]).path)
    >>> plotting.critical_points(ax, well.critical_points, legend=True)
    >>> plt.close(fig)

    Notes
    -----
    Used in every chapter.
    """
    _check_axes(ax)
    if not callable(value):
        raise TypeError(
            f"value must be a function of arrays of shape (..., 2); got {type(value).__name__}"
        )
    xlim, ylim = _range(xlim, "xlim"), _range(ylim, "ylim")
    n = check.integer(n, "n", low=2, high=10_000)
    fill = check.flag(fill, "fill")
    if isinstance(levels, (list, tuple, np.ndarray)) and np.shape(levels) != ():
        levels = np.unique(_vector(levels, "levels", finite=True))
        if levels.size < 2:
            raise ValueError(f"levels must be at least two different heights; got {levels}")
    else:
        levels = check.integer(levels, "levels", low=2, high=1000)
    x, y = np.linspace(*xlim, n), np.linspace(*ylim, n)
    z = np.asarray(value(np.stack(np.meshgrid(x, y), axis=-1)), dtype=float)
    if z.shape != (n, n):
        raise ValueError(f"value must return one height per point, {(n, n)}; got {z.shape}")
    if np.ndim(levels) == 0:
        heights = z[np.isfinite(z)]
        if heights.size == 0:
            raise ValueError("value must be finite somewhere in the window")
        even = np.linspace(heights.min(), heights.max(), levels)
        equal_area = np.quantile(heights, np.linspace(0, 1, levels))
        levels = np.unique(even / 3 + equal_area / 1.5)
        if len(levels) < 2:
            raise ValueError("value must not be constant over the window")
    if fill:
        norm = mpl.colors.BoundaryNorm(levels, _HEIGHT.N)
        ax.contourf(x, y, z, levels=levels, cmap=_HEIGHT, norm=norm, zorder=0)
    ax.contour(
        x, y, z, levels=levels, colors="#B0B5BA", linewidths=0.8, linestyles="solid", zorder=0.5
    )
    ax.set(xlim=xlim, ylim=ylim, aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    ax.grid(False)


def path(ax, xy, *, color=COLORS["gradient_descent"], label=None, dots=60, arrow=True, zorder=3):
    """Draw an orbit: a line, a dot per iterate, an open start and an arrow along the way.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its limits stay as they are; set them first (`contours` does).
    xy : array of shape (k, 2)
        The iterates. A part that is not finite or far outside the window is left out.
    color : color
    label : str, optional
        For the legend.
    dots : int
        How many iterates, at most, get a dot of their own.
    arrow : bool
        Show the direction with an arrow head on the first long step.
    zorder : float

    Returns
    -------
    matplotlib.lines.Line2D

    Notes
    -----
    Used in every chapter.
    """
    _check_axes(ax)
    xy = _array(xy, "xy")
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"xy must have shape (k, 2), one iterate per row; got {xy.shape}")
    color = _color(color, "color")
    if label is not None and not isinstance(label, str):
        raise TypeError(f"label must be a text; got {type(label).__name__}")
    dots = check.integer(dots, "dots", low=0, high=10**6)
    arrow = check.flag(arrow, "arrow")
    zorder = check.number(zorder, "zorder", low=-1e6, high=1e6)
    low, high = np.sort([ax.get_xlim(), ax.get_ylim()], axis=1).T
    size = high - low
    with np.errstate(invalid="ignore", over="ignore"):
        near = (np.abs(xy - (low + high) / 2) < 1e4 * size).all(axis=1)
    xy = xy[: np.argmin(near)] if not near.all() else xy
    limits = ax.get_xlim(), ax.get_ylim()
    (line,) = ax.plot(
        *xy.T, color=color, label=label, lw=1.3, alpha=0.75, zorder=zorder,
        solid_joinstyle="round",
    )
    if len(xy):
        some = xy[1 : dots + 1]
        apart = np.linalg.norm(np.diff(xy[: dots + 1], axis=0) / size, axis=1)
        area = np.clip(2000 * apart, 5, 20)
        ax.scatter(*some.T, s=area, color=color, lw=0, zorder=zorder)
        ax.scatter(*xy[0], s=36, facecolor=PAPER, edgecolor=color, lw=1.6, zorder=zorder + 0.1)
    steps = np.linalg.norm(np.diff(xy, axis=0) / size, axis=1)
    if arrow and len(steps) and steps.max() > 0.04:
        k = int(np.argmax(steps > 0.04))
        direction = xy[k + 1] - xy[k]
        ax.annotate(
            "", xy[k] + 0.65 * direction, xy[k] + 0.6 * direction, zorder=zorder,
            arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.3, "mutation_scale": 13,
                        "shrinkA": 0, "shrinkB": 0},
            annotation_clip=True,
        )
    ax.set(xlim=limits[0], ylim=limits[1])
    return line


def critical_points(ax, points, *, legend=False, size=80):
    """Mark critical points, one marker and one color per kind.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    points : iterable
        Anything with the attributes ``x`` and ``kind``, such as `Problem.critical_points`.
        Points outside the window are left out.
    legend : bool
        Name the kinds in a row below the axes.
    size : float
        Area of a marker.

    Notes
    -----
    Used in every chapter.
    """
    _check_axes(ax)
    legend = check.flag(legend, "legend")
    size = check.number(size, "size", low=0.0, high=1e6)
    groups = {}
    for point in check.sequence(points, "points", "critical points", 10**6):
        kind, x = getattr(point, "kind", None), getattr(point, "x", None)
        if not isinstance(kind, str) or kind not in MARKERS:
            told = repr(kind) if isinstance(kind, str) else type(point).__name__
            raise ValueError(f"points must be of kind {', '.join(MARKERS)}; got {told}")
        x = _vector(x, "x of points")
        if x.size != 2:
            raise ValueError(f"points must lie in the plane; one has {x.size} coordinates")
        groups.setdefault(kind, []).append(x)
    low, high = np.sort([ax.get_xlim(), ax.get_ylim()], axis=1).T
    handles = []
    for kind in sorted(groups, key=list(MARKERS).index):
        xy = np.array(groups[kind])
        xy = xy[((xy >= low) & (xy <= high)).all(axis=1)]
        if len(xy):
            handles.append(
                ax.scatter(
                    *xy.T, s=size * _AREA.get(kind, 1), marker=MARKERS[kind], label=kind,
                    color=COLORS[kind], edgecolor=PAPER, lw=1.1, zorder=5, clip_on=False,
                )
            )
    if legend and handles:
        _legend_below(ax, handles)


def basins(ax, labels, extent, *, names=None, colors=_BASINS):
    """Color each start by where its orbit ends.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    labels : integer array of shape (ny, nx)
        Index of the limit point; -1 for a diverged and -2 for an undecided run. Row 0 is at the
        bottom.
    extent : tuple of four floats
        ``(x_low, x_high, y_low, y_high)``.
    names : dict or sequence of str, optional
        Names of the labels for the legend, which lists them whether or not they occur, so that
        it stays the same when a slider moves.
    colors : sequence of colors
        For the labels 0, 1, 2, ...

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from lib import ensembles, plotting, problems
    >>> grid = ensembles.grid_starts((-1, 1), (-1, 1), (30, 30))
    >>> found = ensembles.basins(problems.double_well(), grid, learning_rate=0.5)
    >>> fig, ax = plt.subplots()
    >>> names = {1: "up", 2: "down"}
    >>> plotting.basins(ax, found.labels.reshape(30, 30), (-1, 1, -1, 1), names=names)
    >>> plt.close(fig)

    Notes
    -----
    Used in the primer, "Strict saddles" and "The stable manifold".
    """
    _check_axes(ax)
    labels = _array(labels, "labels")
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be a two-dimensional array of integers, not empty; got {labels.dtype} "
            f"of shape {labels.shape}"
        )
    if labels.min() < -2 or labels.max() > MOST_LABELS:
        raise ValueError(
            f"labels must be -2, -1, 0, 1, ... up to {MOST_LABELS}; got {labels.min()} to "
            f"{labels.max()}"
        )
    labels = labels.astype(np.int64)
    extent = _vector(extent, "extent", finite=True)
    if extent.size != 4:
        raise ValueError(f"extent must be (x_low, x_high, y_low, y_high); got {extent.size}")
    extent = (*_range(extent[:2], "extent"), *_range(extent[2:], "extent"))
    colors = check.sequence(colors, "colors", "colors", 1000)
    colors = [_color(color, "colors") for color in colors]
    if not colors:
        raise ValueError("colors must hold at least one color; got none")
    if names is not None:
        names = dict(names) if isinstance(names, dict) else dict(enumerate(_texts(names, "names")))
        for label, name in names.items():
            if not isinstance(label, numbers.Integral) or not -2 <= label <= MOST_LABELS:
                raise ValueError(f"names must be of labels -2, -1, 0, 1, ...; got {label!r}")
            if not isinstance(name, str):
                raise TypeError(f"names must be texts; got {type(name).__name__}")
    palette = {-2: COLORS["undecided"], -1: COLORS["diverged"]}
    count = max(int(labels.max()) + 1, 0)
    known = max([count, *(label + 1 for label in names or ())])
    palette |= {k: colors[k % len(colors)] for k in range(known)}
    table = ListedColormap([palette[k] for k in range(-2, count)])
    ax.imshow(
        labels, origin="lower", extent=extent, cmap=table, vmin=-2.5, vmax=count - 0.5,
        interpolation="nearest", aspect="equal", zorder=0,
    )
    ax.grid(False)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    if names is not None:
        if -1 not in names and (labels == -1).any():
            names = {**names, -1: "diverged"}
        if -2 not in names and (labels == -2).any():
            names = {**names, -2: "undecided"}
        handles = [Patch(facecolor=palette[k], label=name) for k, name in names.items()]
        _legend_below(ax, handles)


def theory_vs_measured(
    ax, x, predicted, measured, *, interval=None, theory_x=None,
    labels=("theory", "measured"), color=COLORS["measured"],
):
    """Draw a prediction as a dashed line and measurements as dots with their uncertainty.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, measured : arrays of shape (k,)
    predicted : array of shape (k,) or, with `theory_x`, of that shape
    interval : pair of arrays, optional
        Lower and upper ends of the measurements' confidence intervals.
    theory_x : array, optional
        A finer grid for the prediction.
    labels : pair of str
    color : color

    Notes
    -----
    Used in every chapter that measures a law.
    """
    _check_axes(ax)
    x, measured = _vector(x, "x", finite=True), _vector(measured, "measured")
    grid = x if theory_x is None else _vector(theory_x, "theory_x", finite=True)
    predicted = _vector(predicted, "predicted")
    if measured.shape != x.shape:
        raise ValueError(f"measured must have the shape of x, {x.shape}; got {measured.shape}")
    if predicted.shape != grid.shape:
        raise ValueError(f"predicted must have shape {grid.shape}; got {predicted.shape}")
    labels = _texts(labels, "labels")
    if len(labels) != 2:
        raise ValueError(f"labels must be two texts; got {len(labels)}")
    color = _color(color, "color")
    if interval is not None:
        interval = _array(interval, "interval").astype(float)
        if interval.shape != (2, x.size):
            raise ValueError(
                f"interval must be two arrays of shape {x.shape}; got shape {interval.shape}"
            )
    ax.plot(grid, predicted, "--", color=COLORS["theory"], lw=1.5, label=labels[0], zorder=2)
    if interval is not None:
        ax.vlines(x, *interval, color=color, lw=1.6, alpha=0.7, zorder=2.5)
    ax.plot(x, measured, "o", color=color, mec=PAPER, mew=0.8, ms=6.5, label=labels[1], zorder=3)
    _legend_below(ax, ax.get_legend_handles_labels()[0])


def label_lines(ax, *, gap=1.25):
    """Write each labeled line's name at its right end, in its color, instead of a legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Call this last: its limits and scales must be final.
    gap : float
        Smallest distance of two names, in lines of text.

    Notes
    -----
    Used wherever lines are few enough to be named.
    """
    _check_axes(ax)
    gap = check.number(gap, "gap", low=0.0, high=1000.0)
    height = ax.get_window_extent().height
    step = gap * _points("legend.fontsize") * ax.figure.dpi / 72 / height
    spots = []
    for line in ax.get_lines():
        ends = np.column_stack([*line.get_data()]).astype(float)
        ends = ends[np.isfinite(ends).all(axis=1)]
        if line.get_label().startswith("_") or not len(ends):
            continue
        place = ax.transAxes.inverted().transform(line.get_transform().transform(ends))
        inside = place[(place >= -1e-9).all(axis=1) & (place <= 1 + 1e-9).all(axis=1)]
        if len(inside):
            spots.append([inside[-1, 1], line])
    spots.sort(key=lambda spot: spot[0])
    for k in range(1, len(spots)):
        spots[k][0] = max(spots[k][0], spots[k - 1][0] + step)
    overflow = max(0.0, spots[-1][0] - 1) if spots else 0.0
    for y, line in spots:
        ax.annotate(
            line.get_label(), (1, y - overflow), xycoords="axes fraction", xytext=(5, 0),
            textcoords="offset points", va="center", color=line.get_color(),
            fontsize=mpl.rcParams["legend.fontsize"], annotation_clip=False,
            path_effects=[patheffects.withStroke(linewidth=2, foreground=to_rgb(PAPER))],
        )


def _check_axes(ax):
    if not isinstance(ax, Axes):
        raise TypeError(f"ax must be axes of matplotlib; got {type(ax).__name__}")


def _array(x, name):
    """Return `x` as an array of real numbers that fits into a picture."""
    array = check.array_of(x, name, "an array of numbers", "fiu")
    if array.size > MOST_POINTS:
        raise ValueError(f"{name} must have at most {MOST_POINTS} entries; got {array.size}")
    with np.errstate(over="ignore"):
        return array.astype(float) if array.dtype.kind == "f" else array


def _vector(x, name, finite=False):
    array = _array(x, name)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional; got shape {array.shape}")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite")
    return array.astype(float)


def _range(x, name):
    """Return two ends between which a picture can be drawn."""
    ends = _vector(x, name, finite=True)
    if ends.size != 2 or np.abs(ends).max() > 1e100 or not np.ptp(ends) > 1e-12 * abs(ends).max():
        raise ValueError(f"{name} must have two ends that differ, of at most 1e100; got {ends}")
    return tuple(ends.tolist())


def _color(color, name):
    if not isinstance(color, (str, tuple, list)) or not is_color_like(color):
        kind = type(color).__name__
        raise ValueError(f"{name} must be what matplotlib takes for a color; got {kind}")
    return color


def _texts(x, name):
    texts = check.sequence(x, name, "texts", 1000)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} must be a list or tuple of texts")
    return texts


def _points(key):
    """Return a text size in points; without `use_style` matplotlib has words such as "medium"."""
    return FontProperties(size=mpl.rcParams[key]).get_size_in_points()


def _legend_below(ax, handles):
    """One row below the axis label, where it hides nothing and meets no title."""
    text = _points("xtick.labelsize") + 1.3 * _points("axes.labelsize")
    drop = ScaledTranslation(0, -(text + 11) / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 0),
        bbox_transform=ax.transAxes + drop, ncols=min(len(handles), 4), borderaxespad=0,
        borderpad=0.1, handletextpad=0.4, columnspacing=1.2, handlelength=1.4,
    )
