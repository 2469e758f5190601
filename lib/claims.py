"""Rows of the claims ledger: what a paper predicts beside what this build measured.

The verdict is computed from the numbers, so the book cannot say "agrees" when they do not.
"""

import html
import math
import numbers
import re

try:
    from IPython import get_ipython
    from IPython.display import display
except ImportError:
    get_ipython = None

from lib._validation import shown

__all__ = ["MIME_TYPE", "Claim", "claim"]

MIME_TYPE = "application/vnd.gradient-course.claim+json"

AGREES, DIFFERS, EXPLAINED = "agrees", "differs", "differs, explained"
INCONCLUSIVE = "inconclusive"


def claim(
    id,
    statement,
    *,
    source,
    measured,
    predicted=None,
    predicted_at_most=None,
    predicted_at_least=None,
    interval=None,
    tolerance=None,
    relative=False,
    unit="",
    how="",
    expected_difference=None,
):
    """Compare a prediction with a measurement, show both, and enter them in the ledger.

    Parameters
    ----------
    id : str
        Name of the claim in kebab-case, unique in the book: ``"escape-time-slope"``.
    statement : str
        The claim in one sentence; ``\\(math\\)`` is kept.
    source : str
        Where the claim comes from.
    measured : number, bool or str
        What this build found.
    predicted : number, bool or str, optional
        What theory says. Labels and booleans agree when they are equal.
    predicted_at_most, predicted_at_least : number, optional
        A one-sided prediction, instead of `predicted`.
    interval : tuple of two numbers, optional
        Confidence interval of the measurement. A number agrees if the interval contains it; a
        bound agrees if the whole interval respects it and differs if the whole interval breaks
        it. In between the verdict is "inconclusive".
    tolerance : number, optional
        Instead of `interval`: how far the measurement may be from the prediction, or beyond the
        bound. Zero asks for equality.
    relative : bool
        Read `tolerance` as a fraction of the prediction's size.
    unit : str
        Written after the numbers.
    how : str
        How it was measured, in a few words: runs, seed.
    expected_difference : str, optional
        Why the numbers are known to differ. It is an error if they agree.

    Returns
    -------
    Claim
        It shows itself once, when it is made; its ``repr`` is a one-line summary.

    Examples
    --------
    >>> claim("fair-coin", "A fair coin shows heads half of the time.", source="folklore",
    ...       predicted=0.5, measured=0.493, interval=(0.462, 0.524), how="1000 tosses, seed 0")
    claim fair-coin agrees: predicted 0.5, measured 0.493 in [0.462, 0.524]

    Notes
    -----
    Used in every chapter. An argument that will not do raises a ValueError that names it.
    """
    given = [
        (kind, value)
        for kind, value in (
            ("equal", predicted),
            ("at most", predicted_at_most),
            ("at least", predicted_at_least),
        )
        if value is not None
    ]
    if len(given) != 1:
        raise ValueError(
            "give exactly one of predicted, predicted_at_most and predicted_at_least; "
            f"got {len(given)}"
        )
    kind, prediction = given[0]
    name = "predicted" if kind == "equal" else "predicted_" + kind.replace(" ", "_")
    if not isinstance(id, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id):
        raise ValueError(f"id must be kebab-case, such as 'escape-time-slope'; got {shown(id)}")
    for argument, text in (("statement", statement), ("source", source)):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{argument} must be a text that is not empty; got {shown(text)}")
    for argument, text in (("unit", unit), ("how", how)):
        if not isinstance(text, str):
            raise ValueError(f"{argument} must be a text; got {shown(text)}")
    if not isinstance(relative, bool):
        raise ValueError(f"relative must be True or False; got {shown(relative)}")
    prediction = _scalar(prediction, name)
    measured = _scalar(measured, "measured")
    if _is_label(prediction) or _is_label(measured):
        verdict = _compare_labels(kind, name, prediction, measured, interval, tolerance)
    else:
        interval, tolerance = _uncertainty(measured, interval, tolerance)
        slack = None if tolerance is None else tolerance * (abs(prediction) if relative else 1)
        verdict = _verdict(kind, prediction, measured, interval, slack)
    if expected_difference is not None:
        if not isinstance(expected_difference, str) or not expected_difference.strip():
            raise ValueError(
                "expected_difference must say why the numbers differ; got "
                f"{shown(expected_difference)}"
            )
        if verdict == AGREES:
            raise ValueError("expected_difference is given, but the measurement agrees: remove it")
        if verdict == DIFFERS:
            verdict = EXPLAINED
    row = Claim(
        id=id, statement=statement, source=source, kind=kind, prediction=prediction,
        measured=measured, interval=interval, tolerance=tolerance, relative=relative,
        unit=unit, how=how, reason=expected_difference or "", verdict=verdict,
    )
    if get_ipython is not None and get_ipython() is not None:
        display(row._repr_mimebundle_(), raw=True)
    return row


class Claim:
    """One row of the ledger, as returned by `claim`; its fields are attributes.

    `verdict` is ``"agrees"``, ``"differs"``, ``"differs, explained"`` or ``"inconclusive"``.
    """

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def to_dict(self):
        """Return the row as JSON data: texts ready to show, and the numbers under ``raw``."""
        prediction = _text(self.prediction, self.unit)
        return {
            "id": self.id,
            "statement": self.statement,
            "source": self.source,
            "predicted": prediction if self.kind == "equal" else f"{self.kind} {prediction}",
            "measured": _text(self.measured, self.unit),
            "interval": self._interval_text(),
            "verdict": self.verdict,
            "reason": self.reason,
            "how": self.how,
            "unit": self.unit,
            "raw": {
                "predicted": self.prediction,
                "comparison": self.kind,
                "measured": self.measured,
                "interval": None if self.interval is None else list(self.interval),
                "tolerance": self.tolerance,
                "relative": self.relative,
            },
        }

    def _interval_text(self):
        if self.interval is not None:
            return f"[{_text(self.interval[0])}, {_text(self.interval[1])}]"
        if not self.tolerance:
            return ""
        if self.relative:
            return f"± {_text(100 * self.tolerance)} %"
        return f"± {_text(self.tolerance)}"

    def __repr__(self):
        row = self.to_dict()
        within = row["interval"]
        if self.interval is not None:
            within = f" in {within}"
        elif within:
            within = f" (tolerance {within})"
        return (
            f"claim {row['id']} {row['verdict']}: "
            f"predicted {row['predicted']}, measured {row['measured']}{within}"
        )

    def _repr_html_(self):
        row = {key: html.escape(v) for key, v in self.to_dict().items() if isinstance(v, str)}
        within = row["interval"]
        if within and self.interval is None:
            within = f"tolerance {within}"
        lines = [
            f'<p class="claim-statement"><strong>Claim.</strong> {row["statement"]} '
            f'<span class="claim-source">({row["source"]})</span></p>',
            f'<p class="claim-numbers">Predicted <b>{row["predicted"]}</b> · '
            f"measured <b>{row['measured']}</b>{within and ' ' + within} · "
            f'<strong class="claim-verdict">{row["verdict"]}</strong></p>',
        ]
        if self.reason:
            lines.append(f'<p class="claim-reason">Why: {row["reason"]}</p>')
        if self.how:
            lines.append(f'<p class="claim-how"><small>How: {row["how"]}</small></p>')
        kind = self.verdict.replace(", ", "-")
        return (
            f'<div class="claim claim-{kind} tex2jax_process mathjax_process" '
            f'id="claim-{self.id}">\n' + "\n".join(lines) + "\n</div>"
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {
            MIME_TYPE: self.to_dict(),
            "text/html": self._repr_html_(),
            "text/plain": repr(self),
        }

    def _ipython_display_(self):
        """Show nothing more: the card was shown when the claim was made."""


def _scalar(x, name):
    """Return a plain Python number, bool or text."""
    if hasattr(x, "item") and getattr(x, "size", 1) == 1:
        x = x.item()
    if isinstance(x, str):
        if not x.strip():
            raise ValueError(f"{name} must not be an empty text")
        return x
    if isinstance(x, bool):
        return x
    if not isinstance(x, numbers.Real):
        raise ValueError(f"{name} must be a number, a bool or a text; got {shown(x)}")
    try:
        x = int(x) if isinstance(x, numbers.Integral) else float(x)
        finite = math.isfinite(x)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError(f"{name} must be finite as a float; got {shown(x)}")
    return x


def _number(x, name):
    x = _scalar(x, name)
    if _is_label(x):
        raise ValueError(f"{name} must be a number; got {x!r}")
    return x


def _is_label(x):
    return isinstance(x, (bool, str))


def _compare_labels(kind, name, prediction, measured, interval, tolerance):
    if type(prediction) is not type(measured):
        raise ValueError(
            f"{name} and measured must be of one kind; got {prediction!r} and {measured!r}"
        )
    if kind != "equal":
        raise ValueError(f"{name} must be a number; got {prediction!r}")
    for argument, value in (("interval", interval), ("tolerance", tolerance)):
        if value is not None:
            raise ValueError(f"{argument} makes no sense for labels such as {measured!r}")
    return AGREES if prediction == measured else DIFFERS


def _uncertainty(measured, interval, tolerance):
    if (interval is None) == (tolerance is None):
        raise ValueError(
            "give exactly one of interval=(low, high), the measurement's confidence interval, "
            "and tolerance=, how far it may be off"
        )
    if tolerance is not None:
        tolerance = _number(tolerance, "tolerance")
        if tolerance < 0:
            raise ValueError(f"tolerance must be at least 0; got {tolerance!r}")
        return None, tolerance
    try:
        low, high = interval
    except (TypeError, ValueError):
        raise ValueError(f"interval must be a pair (low, high); got {shown(interval)}") from None
    low, high = _number(low, "interval"), _number(high, "interval")
    if not low <= measured <= high:
        raise ValueError(
            f"interval must hold the measurement: got ({low}, {high}) for measured={measured}"
        )
    return (low, high), None


def _verdict(kind, prediction, measured, interval, slack):
    if interval is None:
        excess = {
            "equal": abs(measured - prediction),
            "at most": measured - prediction,
            "at least": prediction - measured,
        }[kind]
        return AGREES if excess <= slack else DIFFERS
    low, high = interval
    if kind == "equal":
        return AGREES if low <= prediction <= high else DIFFERS
    kept, broken = high <= prediction, low > prediction
    if kind == "at least":
        kept, broken = low >= prediction, high < prediction
    return AGREES if kept else DIFFERS if broken else INCONCLUSIVE


def _text(x, unit=""):
    """Write a number with four significant digits, an integer plainly, a label as it is."""
    if _is_label(x):
        return {True: "yes", False: "no"}[x] if isinstance(x, bool) else x
    if isinstance(x, float) and x.is_integer() and abs(x) < 1e6:
        x = int(x)
    if isinstance(x, int):
        text = str(x)
    elif f"{x:.4g}" == "1" and abs(1 - x) > 1e-12:
        text = f"{x:.{math.ceil(-math.log10(abs(1 - x)))}f}"  # a probability that is almost 1
    elif 1e-3 <= abs(x) < 1e3:
        text = f"{x:.4g}"
    elif 1e3 <= abs(x) < 1e6:
        text = f"{x:.0f}"
    else:
        digits, exponent = f"{x:.3e}".split("e")
        if "." in digits:
            digits = digits.rstrip("0").rstrip(".")
        text = f"{digits}e{int(exponent)}"
    return f"{text} {unit}" if unit else text
