"""Embed probability distributions so that distance is Wasserstein distance."""

from . import datasets, measures, ot
from ._version import __version__
from .embedders import DeepWassersteinEmbedder, WassersteinEmbedder

__all__ = [
    "DeepWassersteinEmbedder",
    "WassersteinEmbedder",
    "__version__",
    "datasets",
    "measures",
    "ot",
]
