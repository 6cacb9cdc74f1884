"""Pictures, in the manner of scikit-learn's displays."""

from ._stress_bounds import StressBoundsDisplay

__all__ = ["StressBoundsDisplay"]
