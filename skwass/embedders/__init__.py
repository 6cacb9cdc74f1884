"""Estimators that embed measures."""

from ._base import WassersteinEmbedder
from ._deep import DeepWassersteinEmbedder
from ._kuratowski import KuratowskiEmbedder

__all__ = ["DeepWassersteinEmbedder", "KuratowskiEmbedder", "WassersteinEmbedder"]
