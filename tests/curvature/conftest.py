"""Helpers that several tests of curvature share."""

import numpy as np
import pytest

from lib.problems import Problem


@pytest.fixture(scope="session")
def dense():
    """Return the function that makes the quadratic with a given Hessian, and a list.

    The list grows by one with each Hessian-vector product. Nothing is compiled.
    """

    def make(matrix):
        calls = []

        def value(x, p):
            return 0.5 * x @ matrix @ x

        def gradient(x, p, out):
            out[:] = matrix @ x

        def hvp(x, v, p, out):
            calls.append(1)
            out[:] = matrix @ v

        return Problem("dense", len(matrix), value, gradient, hvp, np.empty(0)), calls

    return make
