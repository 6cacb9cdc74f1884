"""Estimators that embed measures."""

from ._base import WassersteinEmbedder
from ._deep import DeepWassersteinEmbedder
from ._diffusion import DiffusionEMDEmbedder
from ._gaussian import GaussianEmbedder
from ._kuratowski import KuratowskiEmbedder
from ._linear_ot import LinearOTEmbedder
from ._pseudobulk import PseudobulkEmbedder
from ._sliced import SlicedWassersteinEmbedder
from ._sliced_regression import SlicedRegressionEmbedder
from ._wormhole import WormholeEmbedder

__all__ = [
    "DeepWassersteinEmbedder",
    "DiffusionEMDEmbedder",
    "GaussianEmbedder",
    "KuratowskiEmbedder",
    "LinearOTEmbedder",
    "PseudobulkEmbedder",
    "SlicedRegressionEmbedder",
    "SlicedWassersteinEmbedder",
    "WassersteinEmbedder",
    "WormholeEmbedder",
]
