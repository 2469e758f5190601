"""One set of kernels for every problem: they find the problem's own by numbers in its parameters.

A method is compiled once for each problem's kernels, which takes seconds. Through `indirect` it is
compiled once for all of them; a call costs some nanoseconds more.
"""

from dataclasses import replace

import numpy as np

from lib._jit import (
    Slot,
    carry_out,
    head,
    is_kernel,
    kernel,
    number_from,
    place,
    python_function,
    stamp,
)
from lib.problems.base import frozen

gradient = Slot("gradient")
hvp = Slot("hvp")

VALUE, GRADIENT, HVP, RHO1, BATCH_GRADIENT, BATCH_HVP = range(6)
FOREIGN = ("lib.problems.custom", "lib.problems.rescaled")  # may hold a reader's functions
PLACES = 6  # the last numbers of the parameters


@kernel
def _at(p, which):
    return int(p[p.size - PLACES + which])


@kernel
def _own(p):
    return head(p, p.size - PLACES)


@kernel
def _value(x, p):
    return number_from(_at(p, VALUE), (x, _own(p)))


@kernel
def _gradient(x, p, out):
    carry_out(_at(p, GRADIENT), (x, _own(p), out))


@kernel
def _hvp(x, v, p, out):
    carry_out(_at(p, HVP), (x, v, _own(p), out))


@kernel
def _rho1(t, p):
    return number_from(_at(p, RHO1), (t, _own(p)))


@kernel
def _batch_gradient(x, p, batch, out):
    carry_out(_at(p, BATCH_GRADIENT), (x, _own(p), batch, out))


@kernel
def _batch_hvp(x, v, p, batch, out):
    carry_out(_at(p, BATCH_HVP), (x, v, _own(p), batch, out))


# What takes the place of each kernel, and the kinds of its arguments.
SHARED = {
    "value_kernel": (_value, "vc"),
    "gradient_kernel": (_gradient, "vcv"),
    "hvp_kernel": (_hvp, "vvcv"),
    "rho1_kernel": (_rho1, "nc"),
    "batch_gradient_kernel": (_batch_gradient, "vciv"),
    "batch_hvp_kernel": (_batch_hvp, "vvciv"),
}


def indirect(problem):
    """Return the same problem with the kernels that all problems share.

    It is good for this process only. A problem with functions of a reader's own is returned as it
    is: they may be plain Python, or raise errors, which are lost on the way.
    """
    own = {name: getattr(problem, name) for name in SHARED}
    if not all(_is_ours(each) for each in own.values() if each is not None):
        return problem
    places = [place(each, SHARED[name][1]) if each else 0 for name, each in own.items()]
    return replace(
        problem,
        parameters=frozen(np.concatenate([problem.parameters, places])),
        **{name: SHARED[name][0] for name, each in own.items() if each is not None},
    )


def _is_ours(function):
    module = python_function(function).__module__
    return is_kernel(function) and module.startswith("lib.") and module not in FOREIGN


def single_sample(problem):
    """Return the same problem as a mean over one sample, itself."""
    return replace(
        problem,
        n_samples=1,
        batch_value_kernel=None,
        batch_gradient_kernel=stamp(_one_gradient, gradient=problem.gradient_kernel),
        batch_hvp_kernel=stamp(_one_hvp, hvp=problem.hvp_kernel),
    )


def _one_gradient(x, p, batch, out):
    gradient(x, p, out)


def _one_hvp(x, v, p, batch, out):
    hvp(x, v, p, out)
