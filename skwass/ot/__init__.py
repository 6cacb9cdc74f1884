"""Ground truth: exact Wasserstein distances, in W units, many at a time."""

from ._exact import ExactWasserstein
from ._labels import PairLabels
from ._pairwise import pairwise_wasserstein
from ._sampling import sample_pairs

__all__ = [
    "ExactWasserstein",
    "PairLabels",
    "pairwise_wasserstein",
    "sample_pairs",
]
