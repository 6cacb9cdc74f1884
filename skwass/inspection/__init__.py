"""Pictures, in the manner of scikit-learn's displays."""

from ._directions import InterpolationDisplay, PrincipalGeodesicsDisplay
from ._embedding_map import EmbeddingDisplay
from ._interpolation import BarycenterDisplay, GeodesicDisplay
from ._report import EmbeddingReportDisplay
from ._stress_bounds import StressBoundsDisplay
from ._weight_profile import WeightProfileDisplay

__all__ = [
    "BarycenterDisplay",
    "EmbeddingDisplay",
    "EmbeddingReportDisplay",
    "GeodesicDisplay",
    "InterpolationDisplay",
    "PrincipalGeodesicsDisplay",
    "StressBoundsDisplay",
    "WeightProfileDisplay",
]
