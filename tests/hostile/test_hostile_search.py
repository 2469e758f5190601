"""The same calls with hypothesis at the wheel, and with arrays of every shape, type and stride."""

import numpy as np
import pytest
from hostile_calls import CALLS
from hostile_oracle import called_with, replacements
from hostile_run import FACTOR, group
from hostile_values import COMPLEX, NAN, TEXT, TIME, Hostile
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

KEYS = group(("",))
WITH_ARRAYS = [
    key
    for key in KEYS
    if any(
        isinstance(good, np.ndarray) and name not in CALLS[key].fixed
        for name, good in CALLS[key].good.items()
    )
]
KINDS = {"c": COMPLEX, "U": TEXT, "S": TEXT, "M": TIME, "m": TIME}

search = settings(
    max_examples=max(5, round(25 * FACTOR)),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@st.composite
def arrays(draw):
    """An array of any type and shape, seen with steps and backwards, and what it is."""
    dtype = draw(arrays_of.scalar_dtypes() | st.just(np.dtype(float)))
    shape = draw(arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    array = draw(arrays_of.arrays(dtype, shape))
    array = np.asarray(array[draw(arrays_of.basic_indices(shape, allow_newaxis=True))])
    tags = {KINDS[array.dtype.kind]} if array.dtype.kind in KINDS else set()
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        tags.add(NAN)
    label = f"{array.dtype.str} {array.shape} {array.tolist()!r:.60}"
    return Hostile(label, array, frozenset(tags if array.size else ()))


@pytest.mark.parametrize("key", KEYS)
def test_hypothesis_finds_no_way_through(key):
    call = CALLS[key]

    @search
    @given(st.randoms(use_true_random=False))
    def look(draw):
        replaced = replacements(draw, call)
        assume(replaced is not None)
        _, wrong = called_with(call, replaced)
        assert wrong is None, (wrong, {name: thing.label for name, thing in replaced.items()})

    look()


@pytest.mark.parametrize("key", WITH_ARRAYS)
def test_arrays_of_every_kind(key):
    call = CALLS[key]
    names = [name for name, good in call.good.items() if isinstance(good, np.ndarray)]

    @search
    @given(st.sampled_from([name for name in names if name not in call.fixed]), arrays())
    def look(name, thing):
        _, wrong = called_with(call, {name: thing})
        assert wrong is None, (wrong, name, thing.label)

    look()
