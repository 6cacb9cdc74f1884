"""Nearest neighbours in Wasserstein distance, with proofs."""

from ._estimators import (
    WassersteinNeighborsClassifier,
    WassersteinNeighborsRegressor,
    WassersteinNeighborsTransformer,
)
from ._graphs import knn_layout
from ._neighbors import WassersteinNeighbors
from ._record import NeighborSearch

__all__ = [
    "NeighborSearch",
    "WassersteinNeighbors",
    "WassersteinNeighborsClassifier",
    "WassersteinNeighborsRegressor",
    "WassersteinNeighborsTransformer",
    "knn_layout",
]
