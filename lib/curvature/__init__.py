"""Second derivatives: eigenvalues and the kinds of critical points."""

from lib.curvature.critical_points import Classification, classify

__all__ = ["Classification", "classify"]
