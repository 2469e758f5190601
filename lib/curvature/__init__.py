"""Second derivatives: products, spectra, estimates, and the kinds of critical points."""

from lib.curvature.approximation import (
    certified_contraction,
    debias_factor,
    newton_contraction,
    predicted_contraction,
    required_samples,
    spectral_error,
    typical_spectral_error,
)
from lib.curvature.critical_points import Classification, classify
from lib.curvature.hessians import (
    DerivativeCheck,
    check_derivatives,
    gauss_newton,
    hessian,
    hessian_operator,
)
from lib.curvature.hvp import complex_step_kernel, finite_difference_kernel, hvp
from lib.curvature.lipschitz import armijo_threshold, gradient_lipschitz, hessian_lipschitz
from lib.curvature.sampling import (
    RowSample,
    gram,
    leverage_scores,
    sample_rows,
    sampled_gram,
    sampling_probabilities,
)
from lib.curvature.self_bounding import SelfBoundingRatios, l0_l1_bound, self_bounding_ratios
from lib.curvature.sketching import SKETCHES, count_sketch, gaussian_sketch, hadamard_sketch
from lib.curvature.spectrum import (
    Eigenpairs,
    SpectralDensity,
    extreme_eigenvalues,
    is_second_order_stationary,
    lanczos,
    negative_curvature_direction,
    spectral_density,
)
from lib.curvature.trace import (
    Estimate,
    hutch_plus_plus,
    hutchinson_diagonal,
    hutchinson_trace,
)

__all__ = [
    "Classification",
    "DerivativeCheck",
    "Eigenpairs",
    "Estimate",
    "RowSample",
    "SKETCHES",
    "SelfBoundingRatios",
    "SpectralDensity",
    "armijo_threshold",
    "certified_contraction",
    "check_derivatives",
    "classify",
    "complex_step_kernel",
    "count_sketch",
    "debias_factor",
    "extreme_eigenvalues",
    "finite_difference_kernel",
    "gauss_newton",
    "gaussian_sketch",
    "gradient_lipschitz",
    "gram",
    "hadamard_sketch",
    "hessian",
    "hessian_lipschitz",
    "hessian_operator",
    "hutch_plus_plus",
    "hutchinson_diagonal",
    "hutchinson_trace",
    "hvp",
    "is_second_order_stationary",
    "l0_l1_bound",
    "lanczos",
    "leverage_scores",
    "negative_curvature_direction",
    "newton_contraction",
    "predicted_contraction",
    "required_samples",
    "sample_rows",
    "sampled_gram",
    "sampling_probabilities",
    "self_bounding_ratios",
    "spectral_density",
    "spectral_error",
    "typical_spectral_error",
]
