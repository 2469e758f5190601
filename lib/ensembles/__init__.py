"""Many runs at once: random starts, basins, escape times, long-run behavior, rare events."""

from lib.ensembles.arena import Challenge, Tournament, arena, tournament
from lib.ensembles.attractors import lyapunov_exponent, orbit_tail
from lib.ensembles.critical_points import find_critical_points
from lib.ensembles.dead_neurons import (
    dead_layers,
    death_probability,
    death_probability_cube,
    depth_law,
    failure_lower_bound,
    frozen_parameters,
    inactive_neurons,
    layer_death_bound,
    simulate_depth_law,
    simulate_width_law,
    smallest_width,
    width_law,
)
from lib.ensembles.escape import escape_times
from lib.ensembles.intervals import Proportion, proportion_interval
from lib.ensembles.profiles import Profile, data_profile, performance_profile
from lib.ensembles.race import Race, race
from lib.ensembles.runs import (
    Basins,
    Ensemble,
    basins,
    grid_starts,
    run_many,
    uniform_starts,
)
from lib.ensembles.stable_manifold import StableManifold, stable_manifold
from lib.ensembles.survey import Plane, Survey, survey

__all__ = [
    "Basins",
    "Challenge",
    "Ensemble",
    "Plane",
    "Profile",
    "Proportion",
    "Race",
    "StableManifold",
    "Survey",
    "Tournament",
    "arena",
    "basins",
    "data_profile",
    "dead_layers",
    "death_probability",
    "death_probability_cube",
    "depth_law",
    "escape_times",
    "failure_lower_bound",
    "find_critical_points",
    "frozen_parameters",
    "grid_starts",
    "inactive_neurons",
    "layer_death_bound",
    "lyapunov_exponent",
    "orbit_tail",
    "performance_profile",
    "proportion_interval",
    "race",
    "run_many",
    "simulate_depth_law",
    "simulate_width_law",
    "smallest_width",
    "stable_manifold",
    "survey",
    "tournament",
    "uniform_starts",
    "width_law",
]
