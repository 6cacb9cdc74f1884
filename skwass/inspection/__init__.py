"""Pictures, in the manner of scikit-learn's displays."""

from ._stress_bounds import StressBoundsDisplay
from ._weight_profile import WeightProfileDisplay

__all__ = ["StressBoundsDisplay", "WeightProfileDisplay"]
