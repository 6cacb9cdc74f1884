"""Which pairs are labelled, and when: what a user may choose."""

import math
from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from .holdout import MAX_VALIDATION_PAIRS
from .pairs import N_SCALE_PAIRS, choose_pairs, group_by_blocks

_BLOCK_SIZE = [Interval(Integral, 2, None, closed="left")]


class LabelScheme(BaseEstimator):
    """Base class of what chooses the pairs to label.

    See Also
    --------
    Pairs : Drawn one by one.
    Blocks : All pairs within groups.
    """

    _parameter_constraints: dict = {}
    # Whether labels are solved while training, or in rounds that follow each other.
    in_batch = in_rounds = False

    def draw(self, n_measures, n_pairs, fraction, rng):
        """Return the pairs to label first, as `choose_pairs` does."""
        return choose_pairs(n_measures, n_pairs, fraction, rng)

    def group(self, pairs, n_measures, rng):
        """Return the group of each pair, which batches keep together, or None."""
        return

    def refuse(self, early_stopping):
        """Raise where it cannot work."""


class Pairs(LabelScheme):
    """Pairs of measures drawn at random from all there are, `n_pairs` of them.

    See Also
    --------
    Blocks : One encoding of a measure serves many labels.
    Doubling : Labels until there are enough.

    Examples
    --------
    >>> from skwass.labels import Pairs
    >>> Pairs()
    Pairs()
    """


class Blocks(LabelScheme):
    """All pairs within groups of measures, `n_pairs` in total.

    A batch holds whole groups, so that one encoding of a measure serves many labels:
    for networks with learned layers on points, whose encodings are expensive.

    Parameters
    ----------
    block_size : int, default=16
        Measures per group, at least 2.

    See Also
    --------
    Pairs : Pairs drawn one by one.

    Examples
    --------
    >>> from skwass.labels import Blocks
    >>> Blocks(block_size=8)
    Blocks(block_size=8)
    """

    _parameter_constraints = {"block_size": _BLOCK_SIZE}

    def __init__(self, block_size=16):
        self.block_size = block_size

    def draw(self, n_measures, n_pairs, fraction, rng):
        """Return the pairs to label, block by block."""
        return choose_pairs(
            n_measures, n_pairs, fraction, rng, block_size=self.block_size
        )

    def group(self, pairs, n_measures, rng):
        """Return numbers of the blocks that given pairs are in."""
        return group_by_blocks(pairs, n_measures, self.block_size, rng)


class InBatch(LabelScheme):
    """All pairs of a few measures, drawn and labelled anew at each step.

    Algorithm 1 of the Wormhole [1]_, with `n_pairs` per epoch: no label is seen twice.
    For cheap labels, such as `SinkhornDivergence(device="cuda")`.

    Parameters
    ----------
    block_size : int, default=16
        Measures per step, at least 2.

    See Also
    --------
    Blocks : The same pairs at each epoch, labelled once.

    References
    ----------
    .. [1] Haviv, Kunes, Dougherty, Burdziak, Nawy, Gilbert, Pe'er (2024). Wasserstein
       Wormhole: Scalable Optimal Transport Distance with Transformers. ICML.

    Examples
    --------
    >>> from skwass.labels import InBatch
    >>> InBatch(block_size=8)
    InBatch(block_size=8)
    """

    _parameter_constraints = {"block_size": _BLOCK_SIZE}
    in_batch = True

    def __init__(self, block_size=16):
        self.block_size = block_size

    def draw(self, n_measures, n_pairs, fraction, rng):
        """Return few pairs for the scale of labels, and those for validation."""
        n_validation = min(MAX_VALIDATION_PAIRS, math.ceil(fraction * n_pairs))
        return choose_pairs(
            n_measures, N_SCALE_PAIRS, fraction, rng, n_validation=n_validation
        )


class Doubling(LabelScheme):
    """`n_pairs` pairs, then twice as many, and so on, while the error falls enough.

    After each round training goes on with all labels, for `max_iter` epochs. The last
    round is the one that takes less than `least_gain` off the error of held-out pairs,
    or finds no pair left. A first round of 5,000 pairs is a good start; `partial_fit`
    has one round only.

    Parameters
    ----------
    least_gain : float, default=0.2
        Share of the error of held-out pairs, below 1, that a round must take off for
        another to follow. Where labels are what is missing, twice as many take off
        about 0.29. A negative one lets the error rise.

    See Also
    --------
    Pairs : A fixed number.

    Examples
    --------
    >>> from skwass.labels import Doubling
    >>> Doubling(least_gain=0.1)
    Doubling(least_gain=0.1)
    """

    _parameter_constraints = {"least_gain": [Interval(Real, None, 1, closed="neither")]}
    in_rounds = True

    def __init__(self, least_gain=0.2):
        self.least_gain = least_gain

    def draw(self, n_measures, n_pairs, fraction, rng):
        """Return the pairs of the first round; those for validation serve all."""
        return choose_pairs(
            n_measures, n_pairs, fraction, rng, n_validation=MAX_VALIDATION_PAIRS
        )

    def refuse(self, early_stopping):
        """Raise where no pairs are held out to judge rounds by."""
        if not early_stopping:
            raise ValueError(
                f"Got labels={self} with early_stopping=False, expected pairs held out "
                "to judge rounds by. Set early_stopping=True, or labels='pairs'."
            )


SCHEMES = {
    "pairs": Pairs,
    "blocks": Blocks,
    "in_batch": InBatch,
    "doubling": Doubling,
}
LABELS_CONSTRAINT = [StrOptions({"auto", *SCHEMES}), LabelScheme]
