"""A claim's verdict is computed from its numbers."""

import json
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import claims
from lib.claims import MIME_TYPE, claim

finite = st.floats(-1e12, 1e12)


def make(**fields):
    return claim(**{"id": "a-claim", "statement": "It holds.", "source": "us", **fields})


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({"predicted": 0.5, "measured": 0.49, "interval": (0.4, 0.6)}, "agrees"),
        ({"predicted": 0.7, "measured": 0.49, "interval": (0.4, 0.6)}, "differs"),
        ({"predicted": 0.6, "measured": 0.49, "interval": (0.4, 0.6)}, "agrees"),
        ({"predicted": 1.0, "measured": 1.05, "tolerance": 0.1}, "agrees"),
        ({"predicted": 1.0, "measured": 1.2, "tolerance": 0.1}, "differs"),
        ({"predicted": 100, "measured": 109, "tolerance": 0.1, "relative": True}, "agrees"),
        ({"predicted": 100, "measured": 111, "tolerance": 0.1, "relative": True}, "differs"),
        ({"predicted": -100, "measured": -109, "tolerance": 0.1, "relative": True}, "agrees"),
        ({"predicted": 0, "measured": 0, "tolerance": 0}, "agrees"),
        ({"predicted": 0, "measured": 1, "tolerance": 0}, "differs"),
        ({"predicted_at_most": 0.1, "measured": 0.05, "interval": (0.02, 0.1)}, "agrees"),
        ({"predicted_at_most": 0.1, "measured": 0.05, "interval": (0.02, 0.11)}, "inconclusive"),
        ({"predicted_at_most": 0.01, "measured": 0.05, "interval": (0.02, 0.1)}, "differs"),
        ({"predicted_at_least": 0.02, "measured": 0.05, "interval": (0.02, 0.1)}, "agrees"),
        ({"predicted_at_least": 0.03, "measured": 0.05, "interval": (0.02, 0.1)}, "inconclusive"),
        ({"predicted_at_least": 0.2, "measured": 0.05, "interval": (0.02, 0.1)}, "differs"),
        ({"predicted_at_most": 10, "measured": 10, "tolerance": 0}, "agrees"),
        ({"predicted_at_most": 10, "measured": 11, "tolerance": 0}, "differs"),
        ({"predicted_at_most": 10, "measured": 11, "tolerance": 1}, "agrees"),
        ({"predicted_at_least": 10, "measured": 9, "tolerance": 0}, "differs"),
        ({"predicted_at_least": 10, "measured": 9, "tolerance": 0.2, "relative": True}, "agrees"),
        ({"predicted": "strict saddle", "measured": "strict saddle"}, "agrees"),
        ({"predicted": "strict saddle", "measured": "minimizer"}, "differs"),
        ({"predicted": True, "measured": np.True_}, "agrees"),
        ({"predicted": True, "measured": False}, "differs"),
    ],
)
def test_verdict(fields, verdict):
    row = make(**fields)
    assert row.verdict == verdict
    assert row.to_dict()["verdict"] == verdict
    assert f" {verdict}: " in repr(row)
    assert f'<strong class="claim-verdict">{verdict}</strong>' in row._repr_html_()


@given(finite, finite, st.floats(0, 1e12))
def test_tolerance_verdict_is_the_plain_inequality(predicted, measured, tolerance):
    row = make(predicted=predicted, measured=measured, tolerance=tolerance)
    assert (row.verdict == "agrees") == (abs(measured - predicted) <= tolerance)


@given(finite, st.lists(finite, min_size=3, max_size=3).map(sorted))
def test_interval_verdicts_are_consistent(bound, ends):
    low, measured, high = ends
    options = {"measured": measured, "interval": (low, high)}
    equal = make(predicted=bound, **options).verdict
    most = make(predicted_at_most=bound, **options).verdict
    least = make(predicted_at_least=bound, **options).verdict
    assert (equal == "agrees") == (low <= bound <= high)
    if most == "differs":
        assert least == "agrees"
        assert equal == "differs"
    if "inconclusive" in (most, least):
        assert equal == "agrees"


def test_known_differences_are_explained():
    why = "The paper counts <twice>."
    row = make(predicted=1, measured=3, tolerance=0, expected_difference=why)
    assert row.verdict == "differs, explained"
    assert row.to_dict()["reason"] == why
    assert "Why: The paper counts &lt;twice&gt;." in row._repr_html_()
    with pytest.raises(ValueError, match="the measurement agrees: remove it"):
        make(predicted=1, measured=1, tolerance=0, expected_difference="because")
    with pytest.raises(ValueError, match="expected_difference must say why"):
        make(predicted=1, measured=3, tolerance=0, expected_difference=" ")


def test_bundle():
    row = make(
        id="escape-slope", statement=r"The slope is \(1/\log(1+\alpha\gamma) < 2\) & more.",
        source="Lee et al. 2016", predicted=np.float64(1.4427), measured=np.float32(1.5),
        interval=(np.float64(1.25), 1.75), unit="steps", how="100 runs, seed 0",
    )
    bundle = row._repr_mimebundle_()
    assert set(bundle) == {MIME_TYPE, "text/html", "text/plain"}
    assert MIME_TYPE == "application/vnd.gradient-course.claim+json"
    data = bundle[MIME_TYPE]
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert {key: data[key] for key in data if key != "raw"} == {
        "id": "escape-slope",
        "statement": r"The slope is \(1/\log(1+\alpha\gamma) < 2\) & more.",
        "source": "Lee et al. 2016",
        "predicted": "1.443 steps",
        "measured": "1.5 steps",
        "interval": "[1.25, 1.75]",
        "verdict": "agrees",
        "reason": "",
        "how": "100 runs, seed 0",
        "unit": "steps",
    }
    assert data["raw"]["predicted"] == 1.4427
    assert data["raw"]["interval"] == [1.25, 1.75]
    assert r"\(1/\log(1+\alpha\gamma) &lt; 2\) &amp; more." in bundle["text/html"]
    assert bundle["text/plain"] == repr(row) == (
        "claim escape-slope agrees: predicted 1.443 steps, measured 1.5 steps in [1.25, 1.75]"
    )


class Balanced(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.first = [], None
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.first = self.first or dict(attributes)
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@given(st.text(min_size=1).filter(str.strip), st.text())
def test_card_is_well_formed_whatever_it_says(text, how):
    row = make(statement=text, source=text, predicted=text, measured=text, how=how)
    first = Balanced(row._repr_html_()).first
    assert first["id"] == "claim-a-claim"
    assert first["class"].split()[:2] == ["claim", "claim-agrees"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3, "3"),
        (1_000_000, "1000000"),
        (3.0, "3"),
        (-0.0, "0"),
        (math.pi, "3.142"),
        (1 - 2.996e-6, "0.999997"),
        (1.00004, "1.00004"),
        (0.001234567, "0.001235"),
        (0.00012345678, "1.235e-4"),
        (1e-9, "1e-9"),
        (12345.678, "12346"),
        (999.96, "1000"),
        (1.5e10, "1.5e10"),
        (True, "yes"),
        (False, "no"),
        ("minimizer", "minimizer"),
    ],
)
def test_numbers_are_written_with_four_digits(number, text):
    assert claims._text(number) == text
    unit = "" if isinstance(number, (bool, str)) else " runs"
    assert claims._text(number, "runs") == text + unit


@given(st.floats(-1e300, 1e300))
def test_written_numbers_keep_four_digits(x):
    assert float(claims._text(x)) == pytest.approx(x, rel=5.1e-4, abs=0)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"predicted_at_most": 0.1, "measured": 0, "tolerance": 0}, "at most 0.1"),
        ({"predicted_at_least": 2, "measured": 3, "tolerance": 0}, "at least 2"),
    ],
)
def test_bounds_are_written_out(fields, text):
    assert make(**fields).to_dict()["predicted"] == text


def test_tolerance_is_shown_beside_the_numbers():
    row = make(predicted=1, measured=1.01, tolerance=0.05, relative=True)
    assert row.to_dict()["interval"] == "± 5 %"
    assert repr(row).endswith("measured 1.01 (tolerance ± 5 %)")
    assert make(predicted=1, measured=1.01, tolerance=0.05).to_dict()["interval"] == "± 0.05"
    assert make(predicted=1, measured=1, tolerance=0).to_dict()["interval"] == ""


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"predicted": 1, "measured": 1}, "exactly one of interval"),
        ({"predicted": 1, "measured": 1, "interval": (0, 2), "tolerance": 1}, "exactly one of int"),
        ({"measured": 1, "tolerance": 0}, "exactly one of predicted.*got 0"),
        ({"predicted": 1, "predicted_at_most": 2, "measured": 1, "tolerance": 0}, "got 2"),
        ({"predicted": math.nan, "measured": 1, "tolerance": 0}, "predicted must be finite"),
        ({"predicted": 1, "measured": math.inf, "tolerance": 0}, "measured must be finite"),
        ({"predicted": 1, "measured": [1, 2], "tolerance": 0}, "measured must be a number"),
        ({"predicted": 1, "measured": None, "tolerance": 0}, "measured must be a number"),
        ({"predicted": 1, "measured": "1", "tolerance": 0}, "of one kind"),
        ({"predicted": True, "measured": 1}, "of one kind"),
        ({"predicted": "a", "measured": "a", "tolerance": 0}, "tolerance makes no sense"),
        ({"predicted": "a", "measured": "a", "interval": (0, 1)}, "interval makes no sense"),
        ({"predicted_at_most": "a", "measured": "a"}, "predicted_at_most must be a number"),
        ({"predicted": " ", "measured": "a"}, "predicted must not be an empty text"),
        ({"predicted": 1, "measured": 1, "tolerance": -1}, "tolerance must be at least 0"),
        ({"predicted": 1, "measured": 1, "tolerance": math.nan}, "tolerance must be finite"),
        ({"predicted": 1, "measured": 1, "interval": 3}, "interval must be a pair"),
        ({"predicted": 1, "measured": 1, "interval": (1, 2, 3)}, "interval must be a pair"),
        ({"predicted": 1, "measured": 1, "interval": ("a", "b")}, "interval must be a number"),
        ({"predicted": 1, "measured": 5, "interval": (0, 2)}, "interval must hold the measurement"),
        ({"predicted": 1, "measured": 1, "interval": (2, 0)}, "interval must hold the measurement"),
        ({"id": "Not_kebab", "predicted": 1, "measured": 1, "tolerance": 0}, "id must be kebab"),
        ({"id": "", "predicted": 1, "measured": 1, "tolerance": 0}, "id must be kebab"),
        ({"id": "a--b", "predicted": 1, "measured": 1, "tolerance": 0}, "id must be kebab"),
        ({"statement": " ", "predicted": 1, "measured": 1, "tolerance": 0}, "statement must be"),
        ({"source": "", "predicted": 1, "measured": 1, "tolerance": 0}, "source must be"),
        ({"how": 3, "predicted": 1, "measured": 1, "tolerance": 0}, "how must be"),
        ({"unit": None, "predicted": 1, "measured": 1, "tolerance": 0}, "unit must be"),
    ],
)
def test_bad_arguments_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        make(**fields)


def test_a_claim_shows_itself_exactly_once_in_a_notebook(monkeypatch):
    shown = []
    monkeypatch.setattr(claims, "get_ipython", lambda: object())
    monkeypatch.setattr(claims, "display", lambda data, raw: shown.append((data, raw)))
    row = make(predicted=1, measured=1, tolerance=0)
    assert shown == [(row._repr_mimebundle_(), True)]
    row._ipython_display_()
    assert len(shown) == 1


def test_outside_of_notebooks_nothing_is_displayed(monkeypatch, capsys):
    monkeypatch.setattr(claims, "get_ipython", lambda: None)
    make(predicted=1, measured=1, tolerance=0)
    assert capsys.readouterr() == ("", "")


def test_a_real_kernel_leaves_one_output_per_claim():
    interactiveshell = pytest.importorskip("IPython.core.interactiveshell")
    from IPython.utils.capture import capture_output

    shell = interactiveshell.InteractiveShell.instance()
    try:
        with capture_output() as captured:
            ran = shell.run_cell(
                "from lib.claims import claim\n"
                "claim('one', 'One.', source='us', predicted=1, measured=1, tolerance=0)\n"
                "claim('two', 'Two.', source='us', predicted=1, measured=2, tolerance=0)\n"
            )
        ran.raise_error()
        found = [output.data[MIME_TYPE]["id"] for output in captured.outputs]
        assert found == ["one", "two"]
    finally:
        interactiveshell.InteractiveShell.clear_instance()
