"""Each check returns a clean value or names the argument and says what was expected."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lib import _validation as check

careful = settings(deadline=None, derandomize=True, max_examples=50)
finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@careful
@given(arrays(np.float64, array_shapes(min_dims=0, max_dims=3, max_side=3), elements=finite))
def test_point_accepts_its_shape_only(x):
    if x.shape == (2,):
        np.testing.assert_array_equal(check.point(x, 2, "x0"), x)
    else:
        with pytest.raises(ValueError, match=r"x0 must have shape \(2,\).*; got shape"):
            check.point(x, 2, "x0")


@careful
@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.just(3)), elements=finite))
def test_points_are_contiguous_floats(x):
    for given_as in (x, x.tolist(), np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
        clean = check.points(given_as, 3, "starts")
        assert clean.dtype == np.float64 and clean.flags.c_contiguous
        np.testing.assert_array_equal(clean, x)


@pytest.mark.parametrize("x", [[1.0, 2.0], [[1.0]], [[[1.0, 2.0]]], 1.0, []])
def test_points_name_the_shape(x):
    with pytest.raises(ValueError, match=r"starts must have shape \(n, 2\), one start per row"):
        check.points(x, 2, "starts")


def test_points_need_one():
    with pytest.raises(ValueError, match="starts must hold at least one start"):
        check.points(np.empty((0, 2)), 2, "starts")


@pytest.mark.parametrize(
    ("x", "where"), [([np.nan, 1.0], r"\(0,\) is nan"), ([1.0, np.inf], r"\(1,\) is inf")]
)
def test_the_entry_that_is_not_finite_is_named(x, where):
    with pytest.raises(ValueError, match=f"x must be finite; entry {where}"):
        check.point(x, 2, "x")
    with pytest.raises(ValueError, match=f"x must be finite; entry {where}"):
        check.vector(x, "x")


@pytest.mark.parametrize("x", ["ab", ["a", "b"], None, [None, 1.0], [1j, 0.0], {"a": 1}, [[1], 2]])
def test_what_is_no_array_of_numbers(x):
    for name, call in {
        "x": lambda: check.point(x, 2, "x"),
        "starts": lambda: check.points(x, 2, "starts"),
        "p": lambda: check.vector(x, "p"),
    }.items():
        with pytest.raises(TypeError, match=f"{name} must be an array of real numbers"):
            call()


def test_clean_arrays_are_writeable():
    x = np.array([1.0, 2.0])
    x.setflags(write=False)
    assert check.point(x, 2, "x").flags.writeable
    assert check.vector(x, "x").flags.writeable
    assert check.points(x.reshape(1, 2), 2, "x").flags.writeable


@pytest.mark.parametrize("x", [1.0, [], [[1.0]]])
def test_vector_names_the_shape(x):
    with pytest.raises(ValueError, match="p must be a one-dimensional sequence of numbers"):
        check.vector(x, "p")


@careful
@given(st.floats(), st.floats(-10, 10), st.floats(-10, 10), st.booleans(), st.booleans())
def test_number_accepts_its_interval_only(x, low, high, open_low, open_high):
    inside = (
        np.isfinite(x)
        and (x > low if open_low else x >= low)
        and (x < high if open_high else x <= high)
    )
    if inside:
        assert check.number(x, "r", low, high, open_low, open_high) == x
    else:
        with pytest.raises(ValueError, match="r must be a finite number"):
            check.number(x, "r", low, high, open_low, open_high)


def test_number_says_what_it_wants():
    for call, wanted in (
        (lambda: check.number(3, "r", low=4), "at least 4; got 3.0"),
        (lambda: check.number(3, "r", high=2, open_high=True), "below 2; got 3.0"),
        (lambda: check.number(0, "r", 0, 1, True, False), "above 0 and at most 1; got 0.0"),
        (lambda: check.number(np.nan, "r"), "a finite number; got nan"),
        (lambda: check.positive(0, "r"), "above 0; got 0.0"),
    ):
        with pytest.raises(ValueError, match=wanted):
            call()


@pytest.mark.parametrize("x", [None, "fast", "0.1", 1j, [0.1], np.array([0.1, 0.2]), object()])
def test_what_is_no_number(x):
    with pytest.raises(TypeError, match="r must be a number; got"):
        check.number(x, "r")


@pytest.mark.parametrize("x", [2, np.int32(2), np.float32(2), np.array(2.0), 2.0])
def test_kinds_of_numbers(x):
    value = check.number(x, "r")
    assert type(value) is float and value == 2.0


@careful
@given(st.integers(-20, 20))
def test_integer_accepts_its_interval_only(x):
    if -3 <= x <= 5:
        assert check.integer(np.int64(x), "n", -3, 5) == x
    else:
        with pytest.raises(ValueError, match="n must be a whole number at least -3 and at most 5"):
            check.integer(x, "n", -3, 5)


@pytest.mark.parametrize("x", [2.0, "2", None, [2], np.float64(2)])
def test_what_is_no_integer(x):
    with pytest.raises(TypeError, match="n must be a whole number; got"):
        check.integer(x, "n")


def test_choice():
    assert check.choice("a", "kind", ("a", "b")) == "a"
    with pytest.raises(ValueError, match="kind must be one of 'a', 'b'; got 'c'"):
        check.choice("c", "kind", ("a", "b"))


def test_instance():
    assert check.instance(3, "n", int, "a number") == 3
    with pytest.raises(TypeError, match="n must be a number; got str"):
        check.instance("3", "n", int, "a number")
