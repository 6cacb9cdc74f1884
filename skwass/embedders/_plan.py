"""What a fit decides once, before there are labels or a network, and hands down."""

from dataclasses import asdict, dataclass

import numpy as np

from ..architectures.choice import as_object, choose_architecture, choose_decoder
from ..architectures.network import check_network, space_of
from ..formulas.reference import check_maps
from ..labels.schemes import SCHEMES, Blocks, LabelScheme, Pairs
from ..measures.subsets import evenly, means_of
from ..ot import ExactWasserstein
from ..ot.ground_truths import as_ground_truth, is_gromov, is_w2, is_wasserstein

# Lines see all of a measure only in few dimensions: in 10, Fourier coefficients are
# better, and maps of linear optimal transport better than these.
_SLICED_DIM = 3
# Pairs whose labels are held against the distances of means, and how far below these
# rounding, or entropy, may bring them.
_N_CHECKED_PAIRS, _TOLERANCE = 1_000, 1e-2
# Measures that are held out where there is a formula, at least, unless they are more
# than this share of all.
_FEWEST_HELD_OUT, _MOST_HELD_OUT = 12, 0.25
# On MNIST 0.3 and 1 are the same from 5,000 and 20,000 pairs, 3 and 10 worse.
_SLOPE_WEIGHT = 0.3


@dataclass(frozen=True)
class Plan:
    """How measures become an embedding.

    Parameters
    ----------
    settings : dict
        Of `make_network`: architecture and decoder with nothing left to choose, and
        what is known of the space.
    scheme : LabelScheme
        What chooses the pairs to label.
    slope_weight : float
        Weight of derivatives of W^2, 0 without any.
    goes_on : bool
        Whether a fit goes on with the network that there is.
    """

    settings: dict
    scheme: LabelScheme
    slope_weight: float
    goes_on: bool

    @property
    def exact_mean(self):
        """Whether d columns of an embedding are the mean."""
        return self.settings["exact_mean"]

    @property
    def may_stay(self):
        """Whether a network starts with a formula, and may be left with it.

        As it is if no measures are held out, that could tell what is better.
        """
        return self.settings["architecture"].has_formula and not self.goes_on

    def held_out(self, share, n_measures):
        """Return which share of the measures to hold out, of that which is asked for.

        Of few measures more, where a formula is to stay unless these say otherwise.
        """
        if not self.settings["architecture"].has_formula:
            return share
        return max(share, min(_MOST_HELD_OUT, _FEWEST_HELD_OUT / n_measures))

    @property
    def toward(self):
        """What derivatives are about: "fixed means", "places", or None without any."""
        if self.slope_weight == 0:
            return None
        return "fixed means" if self.exact_mean else "places"


@dataclass(frozen=True)
class FitRun:
    """What belongs together while a fit runs.

    Parameters
    ----------
    module : Network
        Trained in place, on `device`.
    measures : Histograms or PointClouds
        Training data.
    plan : Plan
        What was decided.
    device : torch.device
        Where to train.
    generator : torch.Generator
        Shuffles and draws.
    reporter : FitReporter
        Told of what happens.
    deadline : float or None
        When to end.
    checkpoint : Checkpoint or None
        What was done before, and where to note what is done.
    """

    module: object
    measures: object
    plan: Plan
    device: object
    generator: object
    reporter: object
    deadline: float | None
    checkpoint: object = None


def make_plan(parameters, measures, given, otherwise, fitted):
    """Decide what is decided once.

    Parameters
    ----------
    parameters : dict
        Of an embedder.
    measures : Histograms or PointClouds
        Training data.
    given : tuple or None
        Pairs and their W, if the user gave them.
    otherwise : str
        Name of the architecture by default, where slices do not suit.
    fitted : dict or None
        Settings of the network that there is, if the fit goes on.

    Returns
    -------
    plan : Plan

    Raises
    ------
    TypeError, ValueError
        If parameters do not fit each other, or the measures.
    """
    truth = as_ground_truth(parameters["ground_truth"])
    settings = fitted
    if fitted is None:
        are_w2 = labels_are_w2(truth, measures, given)
        settings = _choose_network(parameters, measures, truth, are_w2, otherwise)
        if parameters["n_maps"]:
            check_maps(truth)
    architecture, weight = settings["architecture"], 0.0
    if architecture.knows_slopes(settings["exact_mean"]):
        weight = decide_slopes(parameters["gradient_weight"], truth)
    scheme = choose_scheme(parameters["labels"], architecture)
    return Plan(settings, scheme, weight, fitted is not None)


def _choose_network(parameters, measures, truth, are_w2, otherwise):
    """Return settings of a new network, if one can be made of them."""
    dim, n_components = measures.dim, parameters["n_components"]
    by_isometry = is_gromov(truth)
    # Masses change with each turn of a shape.
    otherwise = "fourier" if by_isometry else otherwise
    if dim > _SLICED_DIM and is_wasserstein(truth):
        otherwise = "transport_maps"
    elif are_w2:
        otherwise = "slices"
    architecture = choose_architecture(parameters["architecture"], measures, otherwise)
    exact_mean = decide_mean(
        parameters["exact_mean"],
        architecture.obstacle_to_mean(dim, n_components),
        are_w2,
        dim,
        n_components,
        parameters["ground_truth"],
    )
    private_axis = parameters["private_axis"]
    if isinstance(private_axis, str):  # "auto"
        # Where distances of feature maps add up, rows are not Euclidean anyway.
        private_axis = not architecture.adds_distances
    space = space_of(measures, n_components, exact_mean, by_isometry, private_axis)
    settings = {
        "architecture": architecture.fitted_to(space),
        "decoder": choose_decoder(parameters["decoder"], measures, architecture),
        **asdict(space),
    }
    check_network(settings)
    return settings


def labels_are_w2(ground_truth, measures, given):
    """Return whether labels are W2 in the space of the points, so far as one can see.

    The ground truth has to be W2; and where labels are given, as pairs and W, none may
    be below the distance of the means.
    """
    if given is None or not is_w2(ground_truth):
        return is_w2(ground_truth)
    pairs, w = given
    return exceed_means(pairs, w, measures)


def choose_scheme(given, architecture):
    """Return what chooses the pairs to label, its parameters checked.

    Parameters
    ----------
    given : str or LabelScheme
        By the user.
    architecture : Architecture
        Blocks save encodings, which are expensive where points have learned layers.
    """
    if isinstance(given, str) and given == "auto":
        return Blocks() if architecture.has_point_layers else Pairs()
    return as_object(given, SCHEMES)


def decide_mean(wanted, obstacle, are_w2, dim, n_components, ground_truth):
    """Return whether d columns of an embedding are to be the mean.

    Parameters
    ----------
    wanted : bool or "auto"
        By the user.
    obstacle : tuple of str or None
        What of the network is in the way, and what would not be.
    are_w2 : bool
        Whether labels are W2.
    dim, n_components : int
        Of the space, and of the embedding.
    ground_truth : str or object
        For messages.

    Raises
    ------
    ValueError
        If the mean is asked for and cannot be exact.
    """
    if isinstance(wanted, str):  # "auto"
        return are_w2 and not obstacle and 2 * dim <= n_components
    if not wanted:
        return False
    if not is_w2(ground_truth):
        obstacle = f"ground_truth={ground_truth}", "W2 with the Euclidean metric"
    elif not are_w2:
        obstacle = "distances below those of means", "W2"
    if obstacle:
        got, expected = obstacle
        raise ValueError(
            f"Got exact_mean=True with {got}, expected {expected}. Use "
            "exact_mean='auto' for an exact mean where possible."
        )
    return True


def decide_slopes(weight, ground_truth):
    """Return the weight of derivatives, 0 where the ground truth has none of W2."""
    if not (
        isinstance(ground_truth, ExactWasserstein)
        and ground_truth.p == 2
        and ground_truth.tolerance is None
    ):
        return 0.0
    return _SLOPE_WEIGHT if weight == "auto" else weight


def exceed_means(pairs, w, measures):
    """Return whether labels are no less than the distances of means, as W_p must be."""
    rows = evenly(len(w), _N_CHECKED_PAIRS)
    pairs, w = pairs[rows], w[rows]
    numbers, positions = np.unique(pairs, return_inverse=True)
    means = means_of(measures[numbers], 0.0)
    left, right = positions.reshape(-1, 2).T
    gaps = np.linalg.norm(means[left] - means[right], axis=1)
    return bool((w >= gaps * (1 - _TOLERANCE) - _TOLERANCE * w.max()).all())
