"""Embed probability distributions so that distance is Wasserstein distance."""

from . import datasets, inspection, manifold, measures, metrics, ot
from ._version import __version__
from .embedders import DeepWassersteinEmbedder, KuratowskiEmbedder, WassersteinEmbedder
from .manifold import WassersteinMDS

__all__ = [
    "DeepWassersteinEmbedder",
    "KuratowskiEmbedder",
    "WassersteinEmbedder",
    "WassersteinMDS",
    "__version__",
    "datasets",
    "inspection",
    "manifold",
    "measures",
    "metrics",
    "ot",
]
