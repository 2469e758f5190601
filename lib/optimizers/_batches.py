"""Kernels that draw mini-batches: ``draw(n, size, m, r) -> (first, last)``.

n and size are the numbers of samples and of samples in a batch, m is the whole-number memory (zero
before the first draw), r the random stream. The batch is ``m[first:last]``.
"""

from lib import _random as random
from lib import _validation as check
from lib._jit import kernel

SAMPLINGS = ("with_replacement", "without_replacement")
LONGEST = 10**9  # most samples whose order fits into memory


@kernel
def with_replacement(n, size, m, r):
    """Draw each sample anew from all n."""
    for j in range(size):
        m[j] = random.below(r, n)
    return 0, size


@kernel
def without_replacement(n, size, m, r):
    """Draw what comes next in a random order of all n samples, and a new order after each epoch.

    m[0] is how many samples of the epoch are used up, ``m[1:]`` their order, shuffled (Fisher and
    Yates) only as far as it is needed. An epoch's last batch is smaller where size does not
    divide n.
    """
    if m[0] == 0:
        for j in range(n):
            m[1 + j] = j
    if m[0] == n:
        m[0] = 0
    first = m[0] + 1
    last = min(first + size, n + 1)
    for j in range(first, last):
        other = j + random.below(r, n + 1 - j)
        m[j], m[other] = m[other], m[j]
    m[0] = last - 1
    return first, last


def sampler(problem, batch_size, sampling):
    """Return the kernel that draws, the batch size and how many whole numbers it keeps.

    The kernel is None where the batch is the whole problem.
    """
    check.choice(sampling, "sampling", SAMPLINGS)
    if batch_size is None:
        return None, 0, 0
    if problem.n_samples == 0 or problem.batch_gradient_kernel is None:
        raise ValueError(
            f"batch_size must be None, for the whole gradient, because {problem.name} is no mean "
            f"over samples; got {check.shown(batch_size)}"
        )
    size = check.integer(batch_size, "batch_size", low=1, high=problem.n_samples)
    if sampling == "with_replacement":
        return with_replacement, size, size
    if problem.n_samples > LONGEST:
        raise ValueError(
            f"sampling must be 'with_replacement' for {problem.name}: it has more than {LONGEST} "
            "samples, too many to keep their order"
        )
    return without_replacement, size, problem.n_samples + 1
