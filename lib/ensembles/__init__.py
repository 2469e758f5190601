"""Many runs at once: random starts, basins, escape times, long-run behaviour, rare events."""

from lib.ensembles.attractors import lyapunov_exponent, orbit_tail
from lib.ensembles.escape import escape_times
from lib.ensembles.intervals import Proportion, proportion_interval
from lib.ensembles.runs import (
    Basins,
    Ensemble,
    basins,
    grid_starts,
    run_many,
    uniform_starts,
)
from lib.ensembles.stable_manifold import StableManifold, stable_manifold

__all__ = [
    "Basins",
    "Ensemble",
    "Proportion",
    "StableManifold",
    "basins",
    "escape_times",
    "grid_starts",
    "lyapunov_exponent",
    "orbit_tail",
    "proportion_interval",
    "run_many",
    "stable_manifold",
    "uniform_starts",
]
