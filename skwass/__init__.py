"""Embed probability distributions so that distance is Wasserstein distance.

Estimators and submodules are imported when they are first used. Inside, what takes long
to import and few need (POT, parts of scikit-learn, cvxpy) is imported by the functions
that call it; `tests/test_conventions.py` lists it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:  # what `__getattr__` finds, for type checkers and editors
    from . import (
        architectures,
        datasets,
        geometry,
        inspection,
        labels,
        manifold,
        measures,
        metrics,
        neighbors,
        ot,
    )
    from .embedders import (
        DeepWassersteinEmbedder,
        DiffusionEMDEmbedder,
        GaussianEmbedder,
        KuratowskiEmbedder,
        LinearOTEmbedder,
        PseudobulkEmbedder,
        SlicedRegressionEmbedder,
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
    "PseudobulkEmbedder",
    "SlicedRegressionEmbedder",
    "SlicedWassersteinEmbedder",
    "WassersteinEmbedder",
    "WassersteinMDS",
    "WormholeEmbedder",
    "__version__",
    "architectures",
    "datasets",
    "geometry",
    "inspection",
    "labels",
    "manifold",
    "measures",
    "metrics",
    "neighbors",
    "ot",
]


# Submodules that users rarely need; they are found as well.
_MORE = ("embedders", "nn")


def __getattr__(name):
    if name not in (*__all__, *_MORE):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name.islower():
        return import_module(f".{name}", __name__)
    home = "manifold" if name == "WassersteinMDS" else "embedders"
    return getattr(import_module(f".{home}", __name__), name)


def __dir__():
    return sorted([*__all__, *_MORE])
