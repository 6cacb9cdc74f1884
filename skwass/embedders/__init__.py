"""Estimators that embed measures."""

from ._base import WassersteinEmbedder
from ._deep import DeepWassersteinEmbedder

__all__ = ["DeepWassersteinEmbedder", "WassersteinEmbedder"]
