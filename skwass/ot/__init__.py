"""Ground truth: Wasserstein distances, in W units, many at a time."""

from . import bounds
from ._base import GroundTruth
from ._exact import ExactWasserstein
from ._gromov import EntropicGromovWasserstein, GromovWasserstein
from ._intervals import wasserstein_interval
from ._labels import PairLabels
from ._log_sinkhorn import sinkhorn_divergence
from ._pairwise import pairwise_wasserstein
from ._sampling import sample_pairs
from ._sinkhorn import EntropicWasserstein, SinkhornDivergence

__all__ = [
    "EntropicGromovWasserstein",
    "EntropicWasserstein",
    "ExactWasserstein",
    "GromovWasserstein",
    "GroundTruth",
    "PairLabels",
    "SinkhornDivergence",
    "bounds",
    "pairwise_wasserstein",
    "sample_pairs",
    "sinkhorn_divergence",
    "wasserstein_interval",
]
