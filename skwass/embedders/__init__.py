"""Estimators that embed measures."""

from ._base import WassersteinEmbedder
from ._deep import DeepWassersteinEmbedder
from ._kuratowski import KuratowskiEmbedder
from ._wormhole import WormholeEmbedder

__all__ = [
    "DeepWassersteinEmbedder",
    "KuratowskiEmbedder",
    "WassersteinEmbedder",
    "WormholeEmbedder",
]
