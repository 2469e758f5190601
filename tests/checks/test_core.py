"""What all checks share: right answers pass, everything else gets a message."""

import numpy as np
import pytest

from lib import checks
from lib.checks import CheckFailed


class Sulky:
    """An object that can neither be shown nor made an array."""

    def __array__(self, *arguments, **options):
        raise MemoryError

    def __repr__(self):
        raise OSError


RUBBISH = [
    None, ..., True, "2", b"2", np.nan, np.inf, 10**400, 1j, [[1], [1, 2]], {}, set(), Sulky(),
    object(), abs, int, np, np.array(["a"]), np.array([None]), np.array([True]), [None],
    "x" * 10**6,
]  # fmt: skip


@pytest.mark.parametrize("value", RUBBISH, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "check",
    [
        checks.number,
        checks.integer,
        lambda value: checks.array(value, (None,)),
        lambda value: checks.close(value, 1.0),
        lambda value: checks.close(value, np.ones(2)),
        lambda value: checks.agrees(lambda x: value, lambda x: 1.0, [(2.0,)]),
    ],
)
def test_rubbish_is_no_number(check, value):
    with pytest.raises(CheckFailed) as caught:
        check(value)
    assert 5 < len(str(caught.value)) < 400


@pytest.mark.parametrize("value", [v for v in RUBBISH if not callable(v)])
def test_rubbish_is_no_function(value):
    for use in (checks.function, checks.call, lambda v: checks.refuses(v, 1)):
        with pytest.raises(CheckFailed):
            use(value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(2, 2.0), (np.float32(2), 2.0), ([2.0], 2.0), (np.array([[2]]), 2.0), (np.int8(2), 2.0)],
)
def test_numbers_of_all_kinds(answer, expected):
    assert checks.number(answer) == expected
    checks.close(answer, expected)
    assert checks.integer(answer) == 2


@pytest.mark.parametrize("answer", [2.5, -0.1, 1e-9])
def test_whole_numbers(answer):
    with pytest.raises(CheckFailed, match="whole number"):
        checks.integer(answer)


@pytest.mark.parametrize(
    ("answer", "shape", "fits"),
    [
        ([1, 2], (2,), True),
        ((1, 2), (None,), True),
        ([[1, 2]], (None, 2), True),
        ([1, 2], (3,), False),
        ([1, 2], (None, 2), False),
        ([[1, 2]], (2,), False),
        ([], (None,), True),
    ],
)
def test_shapes(answer, shape, fits):
    if fits:
        assert checks.array(answer, shape).dtype == float
    else:
        with pytest.raises(CheckFailed, match="shape"):
            checks.array(answer, shape)


def test_close_explains_mistakes_and_gives_nothing_away():
    with pytest.raises(CheckFailed, match="forgot the half"):
        checks.close(6.0, 3.0, mistakes={"you forgot the half": 6.0})
    with pytest.raises(CheckFailed) as caught:
        checks.close(5.0, 3.0, mistakes={"you forgot the half": 6.0}, name="area")
    assert str(caught.value) == "area is 5, which is not right"
    checks.close(3.0000001, 3.0)
    checks.close(1e-12, 0.0, atol=1e-9)


def test_agrees_names_the_input():
    cases = [(np.array([1.0, 2.0]),), (np.array([3.0, 4.0]),)]
    checks.agrees(np.sum, np.sum, cases)
    with pytest.raises(CheckFailed, match=r"f\(\[3. 4.\]\) is 99,"):
        checks.agrees(lambda x: 99 if x[0] > 2 else x.sum(), np.sum, cases, name="f")
    with pytest.raises(CheckFailed, match="you take the mean"):
        checks.agrees(np.mean, np.sum, cases, mistakes={"you take the mean": np.mean})


def writes(x):
    x[0] = 7.0
    return 0.0


def stops(x):
    raise SystemExit(3)


def unwritten(x):
    raise NotImplementedError("exercise 7")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (writes, "changes an array"),
        (stops, "raised SystemExit: 3"),
        (unwritten, "not written yet"),
        (lambda: 0, "raised TypeError"),
        (lambda x: None, "returned None: is its 'return' missing"),
        (lambda x: x[5], r"raised IndexError.*\(in line \d+: \(lambda x: x\[5\]"),
    ],
)
def test_call_explains_what_went_wrong(function, message):
    with pytest.raises(CheckFailed, match=message):
        checks.call(function, np.ones(2))


def test_a_loop_without_an_end_is_ended():
    def for_ever(f):
        while f(1.0) > 0:
            pass

    with pytest.raises(CheckFailed, match="one of its loops does not end"):
        checks.call(for_ever, lambda x: x)


def test_the_first_wrong_entry_is_named():
    right = np.arange(12.0).reshape(3, 4)
    wrong = right.copy()
    wrong[1, 2:] = 9
    message = r"\(2 of 12 entries, the first at \[1, 2\], where it is 9\)"
    with pytest.raises(CheckFailed, match=message):
        checks.close(wrong, right)
    with pytest.raises(CheckFailed, match=message):
        checks.agrees(lambda x: wrong, lambda x: right, [(1.0,)])


def test_arguments_stay_whole():
    given = np.ones(2)
    with pytest.raises(CheckFailed):
        checks.call(writes, given)
    assert given.tolist() == [1.0, 1.0]


def test_an_interrupt_is_the_readers():
    def interrupted(x):
        raise KeyboardInterrupt

    for use in (checks.call, checks.refuses):
        with pytest.raises(KeyboardInterrupt):
            use(interrupted, 1.0)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x, "it returned -1"),
        (lambda x: 1 / 0, "it raised ZeroDivisionError"),
        (unwritten, "not written yet"),
    ],
)
def test_refuses_wants_the_right_error(function, message):
    with pytest.raises(CheckFailed, match=message):
        checks.refuses(function, -1, name="root")
    checks.refuses(int, "x")


def test_individual_numbers_are_the_same_for_ever():
    drawn = checks.individual("Ada ", "example").integers(10**6, size=3)
    assert drawn.tolist() == checks.individual("ada", "example").integers(10**6, size=3).tolist()
    assert drawn.tolist() != checks.individual("ada", "other").integers(10**6, size=3).tolist()
    assert drawn.tolist() == [417076, 445601, 462493]


def test_unknown_sets_are_an_error():
    with pytest.raises(AttributeError, match="nothing"):
        _ = checks.nothing
    assert {"primer", "nonconvergence", "close"} <= set(dir(checks))
