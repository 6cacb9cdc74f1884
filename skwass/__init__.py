"""Embed probability distributions so that distance is Wasserstein distance."""

from . import datasets, geometry, inspection, manifold, measures, metrics, ot
from ._version import __version__
from .embedders import (
    DeepWassersteinEmbedder,
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WassersteinEmbedder,
    WormholeEmbedder,
)
from .manifold import WassersteinMDS

__all__ = [
    "DeepWassersteinEmbedder",
    "DiffusionEMDEmbedder",
    "GaussianEmbedder",
    "KuratowskiEmbedder",
    "LinearOTEmbedder",
    "SlicedWassersteinEmbedder",
    "WassersteinEmbedder",
    "WassersteinMDS",
    "WormholeEmbedder",
    "__version__",
    "datasets",
    "geometry",
    "inspection",
    "manifold",
    "measures",
    "metrics",
    "ot",
]
