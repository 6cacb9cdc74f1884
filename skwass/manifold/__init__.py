"""Exact Euclidean embeddings of distance matrices."""

from ._bounds import StressBounds, stress_bounds
from ._wasserstein_mds import WassersteinMDS
from .nearest_edm import NearestEDM, nearest_edm

__all__ = [
    "NearestEDM",
    "StressBounds",
    "WassersteinMDS",
    "nearest_edm",
    "stress_bounds",
]
