"""Labels that a user gives: used as they are, with a word if they are not W."""

import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from toys import make_small

from skwass import (
    DeepWassersteinEmbedder,
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WassersteinMDS,
    WormholeEmbedder,
)
from skwass.ot import ExactWasserstein, pairwise_wasserstein

GRID = {"grid_shape": (8, 8)}
MAKERS = {
    "deep": partial(make_small, DeepWassersteinEmbedder),
    "kuratowski": partial(make_small, KuratowskiEmbedder),
    "wormhole": partial(make_small, WormholeEmbedder),
    "linear": partial(LinearOTEmbedder, n_reference=16, random_state=0, **GRID),
    "corrected": partial(
        LinearOTEmbedder, n_reference=16, correction=True, random_state=0, **GRID
    ),
    "sliced": partial(SlicedWassersteinEmbedder, scale=True, random_state=0, **GRID),
    "diffusion": partial(DiffusionEMDEmbedder, random_state=0, **GRID),
}
every_embedder = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
N_COMPARED = "going by 12 pairs that were solved"


def rolled(W):
    """Return distances of the wrong pairs: rows and columns moved by one."""
    return np.roll(W, 1, axis=(0, 1))


FAULTS = {
    "squares": (np.square, f"are squares of W, {N_COMPARED}"),
    "100 times": (lambda W: 100 * W, f"are 100 times W, {N_COMPARED}"),
    "a 100th": (lambda W: W / 100, f"are 0.01 times W, {N_COMPARED}"),
    "scaled squares": (lambda W: 3 * W**2, "are 3 times squares of W"),
    "roots": (np.sqrt, "are roots of W"),
    "other pairs": (rolled, "times W, by no common factor"),
}
# Where labels are far too small, some have more to say.
quiet = pytest.mark.filterwarnings("ignore:Fitted a scale of")


@pytest.mark.slow
@quiet
@every_embedder
@pytest.mark.parametrize("name", FAULTS)
def test_labels_that_are_not_w_are_named(make, name, labelled_digits):
    X, W = labelled_digits
    change, message = FAULTS[name]
    with pytest.warns(UserWarning, match=message):
        make().fit(X, distances=change(W))


@every_embedder
def test_labels_that_are_w_pass(make, labelled_digits):
    X, W = labelled_digits
    noise = np.random.default_rng(0).uniform(0.95, 1.05, W.shape)
    make().fit(X, distances=W)
    make().fit(X, distances=W * (noise + noise.T) / 2)


def test_listed_pairs_and_a_first_epoch_are_compared_too(labelled_digits):
    X, W = labelled_digits
    pairs = np.column_stack(np.triu_indices(len(X), k=1))
    known = {"pairs": pairs, "distances": 5 * W[pairs[:, 0], pairs[:, 1]]}
    fitted, begun = MAKERS["deep"](), MAKERS["deep"]()
    for fit in (fitted.fit, fitted.fit, begun.partial_fit):
        with pytest.warns(UserWarning, match="are 5 times W"):
            fit(X, **known)
    begun.partial_fit(X, **known)  # it goes on


@pytest.mark.parametrize("factor", [0.9, 1.05])
def test_factors_near_1_are_named_too(factor, labelled_digits):
    X, W = labelled_digits
    with pytest.warns(UserWarning, match=f"are {factor:g} times W"):
        MAKERS["sliced"]().fit(X, distances=factor * W)


def test_labels_of_which_half_are_wrong(labelled_digits):
    X, W = labelled_digits
    pairs = np.column_stack(np.triu_indices(len(X), k=1))
    w = W[pairs[:, 0], pairs[:, 1]]
    w[len(w) // 2 :] *= 2
    with pytest.warns(UserWarning, match="are 1 to 2 times W, by no common factor"):
        MAKERS["sliced"]().fit(X, pairs=pairs, distances=w)


def test_ground_truths_that_cannot_solve_are_no_reason_to_fail(labelled_digits):
    class Unable:
        def solve(self, mu, nu):
            raise NotImplementedError

    X, W = labelled_digits
    MAKERS["sliced"](ground_truth=Unable()).fit(X, distances=W)


def test_labels_in_another_unit_than_float32_can_hold(labelled_digits):
    X, W = labelled_digits
    for name in ("sliced", "deep"):
        with pytest.raises(ValueError, match="Check the units of both"):
            MAKERS[name]().fit(X, distances=1e-30 * W)


def test_targets_of_any_other_shape_are_ignored(labelled_digits):
    X, W = labelled_digits
    for y in (W[:9, :9], [[1], [1, 2]], np.arange(60), "strings"):
        MAKERS["sliced"](scale=False).fit(X, y)


def test_they_are_compared_with_the_ground_truth(labelled_digits):
    X, _ = labelled_digits
    truth = ExactWasserstein(p=1)
    W = pairwise_wasserstein(X, ground_truth=truth, **GRID)
    MAKERS["sliced"](ground_truth=truth).fit(X, distances=W)
    MAKERS["sliced"](ground_truth=truth).fit(X, pairs=[[0, 1]], distances=[9.0])


def test_a_comparison_takes_a_second_at_most(clock):
    """After a solve of two seconds there is no other; three are needed to judge."""

    class Slow:
        n_solves = 0

        def solve(self, mu, nu):
            self.n_solves += 1
            clock.seconds += self.seconds
            return 1.0, True

    X = np.random.default_rng(0).dirichlet(np.ones(5), 30)
    W = np.full((30, 30), 7.0) - np.diag(np.full(30, 7.0))
    for seconds, n_solves in ((2.0, 1), (0.4, 3), (0.01, 12)):
        truth = Slow()
        truth.seconds = seconds
        embedder = SlicedWassersteinEmbedder(scale=True, ground_truth=truth)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            embedder.fit(X, distances=W)
        assert truth.n_solves == n_solves
        assert len(caught) == (n_solves > 2)


def test_large_measures_are_not_solved():
    class Never:
        def solve(self, mu, nu):
            raise AssertionError

    rng = np.random.default_rng(0)
    clouds = rng.normal(size=(4, 700, 2))
    W = np.ones((4, 4)) - np.eye(4)
    SlicedWassersteinEmbedder(scale=True, ground_truth=Never()).fit(clouds, distances=W)


ALL = {
    **MAKERS,
    "gaussian": GaussianEmbedder,
    "mds": partial(WassersteinMDS, ground_truth="exact"),
}
WAYS_OUT = {
    "gaussian": "Leave it out",
    "mds": "Pass them as X, with ground_truth='precomp",
}


@pytest.mark.parametrize("name", ALL)
def test_distances_in_the_place_of_targets_are_refused(name, labelled_digits):
    (X, W), make = labelled_digits, ALL[name]
    for y in (W, W.tolist()):
        for call in ("fit", "fit_transform"):
            with pytest.raises(
                ValueError, match=WAYS_OUT.get(name, "Pass distances=y")
            ):
                getattr(make(), call)(X, y)
    if hasattr(make(), "partial_fit"):
        with pytest.raises(ValueError, match=r"Got y of shape \(60, 60\)"):
            make().partial_fit(X, W)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rate"), [("deep", 10.0), ("kuratowski", 1e-6), ("wormhole", 10.0)]
)
def test_an_embedding_that_is_worse_than_a_constant_is_named(name, rate, digits):
    X = digits[0]
    with pytest.warns(ConvergenceWarning, match=r"best validation R2 is -.*learning_r"):
        MAKERS[name](learning_rate=rate, n_pairs=500).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        good = MAKERS[name](n_pairs=1_500, max_iter=8, gradient_weight=0.0).fit(X)
    assert max(good.validation_scores_) > 0
