"""Ground truth: exact Wasserstein distances, in W units, many at a time."""

from ._exact import ExactWasserstein
from ._labels import PairLabels
from ._pairwise import CHUNK_SIZE, check_pairs, label_pairs, pairwise_wasserstein
from ._sampling import MAX_VALIDATION_PAIRS, hold_out_measures, sample_pairs

__all__ = [
    "CHUNK_SIZE",
    "MAX_VALIDATION_PAIRS",
    "ExactWasserstein",
    "PairLabels",
    "check_pairs",
    "hold_out_measures",
    "label_pairs",
    "pairwise_wasserstein",
    "sample_pairs",
]
