"""KuratowskiEmbedder: a metric by construction, whatever it has learned."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from toys import LEARNING, distances_of_rows, make_small, relative_error

from skwass import KuratowskiEmbedder
from skwass.architectures import (
    ODEKENN,
    Convolutional,
    DeepKENN,
    Dense,
    HistogramDecoder,
    Slices,
)
from skwass.measures import as_measures
from skwass.nn import ode

ARCHITECTURES = {
    "last": DeepKENN(Slices((64,)), layers="last"),
    "deep": DeepKENN(Slices((64,))),
    "deep-conv": DeepKENN(Convolutional((4,), (32,))),
    "ode": ODEKENN(widths=(64,), n_nodes=4),
    "ode-conv": ODEKENN(Convolutional((4,), ()), widths=(32,)),
    "ode-C1": ODEKENN(widths=(64,), velocity=True),
}
OF_ARCHITECTURE = ODEKENN().get_params()


def embedder(kind="deep", **parameters):
    own = {name: parameters.pop(name) for name in OF_ARCHITECTURE & parameters.keys()}
    architecture = clone(ARCHITECTURES[kind]).set_params(**own)
    return make_small(KuratowskiEmbedder, architecture=architecture, **parameters)


def learn(X, kind="deep", **parameters):
    return embedder(kind, **{**LEARNING, **parameters}).fit(X)


def on_a_line(n):
    """Return histograms of bells of different places and widths."""
    rng = np.random.RandomState(0)
    means = rng.uniform(8, 24, size=(n, 1))
    return np.exp(-((np.arange(32) - means) ** 2) / rng.uniform(4, 30, size=(n, 1)))


def fit_untrained(kind, aggregation, digits):
    """Return an embedder as it starts: its weights hardly move."""
    frozen = {"learning_rate": 1e-12, "max_iter": 1, "weight_decay": 0.0}
    return embedder(kind, aggregation=aggregation, **frozen).fit(digits[0])


# Each architecture with one of the aggregations; the rest of the product is slow.
FAST = {
    "last": "l2",
    "deep": "l1",
    "deep-conv": "l2",
    "ode": "l2",
    "ode-conv": "l1",
    "ode-C1": "l1",
}


def kinds():
    for kind in ARCHITECTURES:
        for how in ("l1", "l2"):
            marks = [] if FAST[kind] == how else [pytest.mark.slow]
            yield pytest.param((kind, how), marks=marks, id=f"{kind}-{how}")


@pytest.fixture(scope="module", params=kinds())
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def trained(kind, digits):
    """Return a fitted embedder that nobody may change."""
    name, aggregation = kind
    return learn(digits[0], name, aggregation=aggregation)


@pytest.fixture(scope="module")
def untrained(kind, digits):
    return fit_untrained(*kind, digits)


def assert_metric(fitted, X):
    W = fitted.pairwise_distances(X)
    np.testing.assert_array_equal(W, W.T)
    assert (np.diag(W) == 0).all()
    assert W[~np.eye(len(W), dtype=bool)].min() > 0
    detour = (W[:, :, None] + W[None, :, :]).min(axis=1)
    assert (detour >= W * (1 - 1e-6)).all()
    # The same, not by the symmetric code for Y=None.
    again = fitted.pairwise_distances(X[:9], X)
    np.testing.assert_allclose(again, W[:9], rtol=1e-5, atol=1e-4)


def test_a_metric_before_training(untrained, digits, test_distances):
    assert_metric(untrained, digits[1][:40])
    # Distances start at the scale of W, whatever the layers make of measures.
    true = test_distances[:40, :40]
    ratio = untrained.pairwise_distances(digits[1][:40]).mean() / true.mean()
    assert 0.7 < ratio < 1.4


@pytest.mark.slow
def test_a_metric_after_training(trained, digits):
    assert_metric(trained, digits[1][:40])


def test_training_brings_the_distance_near_W(
    untrained, trained, digits, test_distances
):
    error = relative_error(trained.pairwise_distances(digits[1]), test_distances)
    before = untrained.pairwise_distances(digits[1])
    assert error < 0.8 * relative_error(before, test_distances)
    assert trained.loss_curve_[-1] < 0.5 * trained.loss_curve_[0]
    assert trained.score(digits[1]) > 0.5


def test_distances_from_rows_of_transform(kind, trained, digits):
    Z = trained.transform(digits[1]).astype(np.float64)
    n_common = sum(trained.block_sizes_) + trained.module_.n_exact
    has_private = kind[1] == "l2"
    assert Z.shape[1] == n_common + has_private
    W = trained.pairwise_distances(digits[1])
    if has_private:
        expected = distances_of_rows(Z, trained._readout)
        np.testing.assert_allclose(W, expected, rtol=1e-6, atol=1e-6)
        return
    parts = np.split(Z, np.cumsum(trained.block_sizes_)[:-1], axis=1)
    expected = sum(cdist(part, part) for part in parts)
    np.testing.assert_allclose(W, expected, rtol=1e-6, atol=1e-6)
    assert (cdist(Z, Z) <= W + 1e-5).all()
    assert (cdist(Z, Z) >= W / np.sqrt(len(parts)) - 1e-5).all()


def test_transform_is_sample_wise(trained, digits):
    batch = trained.transform(digits[1])
    alone = np.concatenate([trained.transform(x[None]) for x in digits[1]])
    np.testing.assert_allclose(alone, batch, rtol=0, atol=1e-6 * np.abs(batch).max())


def test_the_distance_is_the_formula(kind, trained, digits):
    """Weights, quadrature and feature maps, put together by hand."""
    n_blocks = len(trained.block_sizes_)
    weights, module = trained.block_weights_, trained.module_
    assert weights.shape == (n_blocks,)
    assert (weights > 0).all()
    if trained.times_ is None:
        q = np.full(n_blocks, 1 / n_blocks)
    else:
        q = np.gradient(trained.times_)
        q[[0, -1]] /= 2
        q = np.resize(q, n_blocks)
    masses = digits[1] / digits[1].sum(axis=1, keepdims=True)
    with torch.no_grad():
        measures = as_measures(masses, grid_shape=(8, 8))
        rows, means = module.split(module.inputs.rows(measures, torch.device("cpu")))
        maps = [phi.double().numpy() for phi in module.encoder.features(rows)]
    power = 1 if kind[1] == "l1" else 2
    expected = sum(
        q_k * weight * cdist(phi, phi) ** power
        for q_k, weight, phi in zip(q, weights, maps, strict=True)
    )
    if module.n_exact:
        expected += cdist(means, means) ** 2
    expected **= 1 / power
    if power == 2:  # what is shared; the private axis has tests of its own
        Z = trained.transform(digits[1])[:, :-1]
        np.testing.assert_allclose(cdist(Z, Z), expected, rtol=1e-4, atol=1e-4)
        return
    W = trained.pairwise_distances(digits[1])
    np.testing.assert_allclose(W, expected, rtol=1e-4, atol=1e-4)


def test_a_file_keeps_it(trained, digits, tmp_path):
    trained.save(tmp_path / "embedder.safetensors")
    again = KuratowskiEmbedder.load(tmp_path / "embedder.safetensors")
    W = trained.pairwise_distances(digits[1])
    np.testing.assert_array_equal(again.pairwise_distances(digits[1]), W)
    np.testing.assert_array_equal(again.block_weights_, trained.block_weights_)
    assert again.block_sizes_ == trained.block_sizes_


def test_the_same_seed_gives_the_same_bytes(kind, digits):
    name, aggregation = kind
    Z = [
        embedder(name, aggregation=aggregation, max_iter=1)
        .fit(digits[0])
        .transform(digits[1])
        .tobytes()
        for _ in range(2)
    ]
    assert Z[0] == Z[1]


@pytest.mark.parametrize("power", [1, 2])
def test_the_loss_is_on_W_and_not_on_its_square(power, labelled_digits):
    """One step over all pairs reports the loss before it, by hand here."""
    X, W = labelled_digits
    aggregation = {1: "l1", 2: "l2"}[power]
    frozen = {"learning_rate": 1e-12, "max_iter": 1, "batch_size": 10**6}
    fitted = embedder("deep", aggregation=aggregation, early_stopping=False, **frozen)
    fitted.fit(X, distances=W)
    i, j = np.triu_indices(60, 1)
    error = fitted.pairwise_distances(X)[i, j] - W[i, j]
    expected = np.mean(error**2) / np.mean(W[i, j] ** 2)
    assert fitted.loss_curve_[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_curves_that_start_at_unit_scale_learn_more(monkeypatch):
    """A small and slow flow stays the linear map that its lift is."""
    X = on_a_line(300)
    settings = {"grid_shape": None, "n_nodes": 3, "max_iter": 15}
    errors = [1 - learn(X[:200], "ode", **settings).score(X[200:])]
    monkeypatch.setattr(ode, "SPREAD", 0.05)
    monkeypatch.setattr(ode, "SPEED", 0.1)
    errors.append(1 - learn(X[:200], "ode", **settings).score(X[200:]))
    assert errors[0] < 0.8 * errors[1]


def test_last_layer_is_the_last_block(digits):
    """Before training, the baseline is the last feature map of DeepKENN."""
    last, every = (
        fit_untrained(kind, "l1", digits).transform(digits[1])
        for kind in ("last", "deep")
    )
    block = every[:, -16:]
    np.testing.assert_allclose(2 * block, last, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_more_feature_maps_are_better_than_the_last(digits):
    scores = [
        learn(digits[0], kind, max_iter=20).score(digits[1])
        for kind in ("last", "deep")
    ]
    assert 1 - scores[1] < 0.95 * (1 - scores[0])


@pytest.mark.parametrize("base", [Slices, Dense, Convolutional])
@pytest.mark.parametrize("kind", [DeepKENN, ODEKENN])
@pytest.mark.parametrize(
    "n_parameters", [8_000, pytest.param(30_000, marks=pytest.mark.slow)]
)
def test_architectures_at_one_size(kind, base, n_parameters, digits):
    fitted = KuratowskiEmbedder(
        architecture=kind(base(), n_parameters=n_parameters),
        n_components=16,
        grid_shape=(8, 8),
        n_pairs=100,
        max_iter=1,
        decoder="auto",
        random_state=0,
    ).fit(digits[0])
    encoder = fitted.module_.encoder
    n_weights = sum(p.numel() for p in encoder.parameters())
    assert fitted.n_parameters_ == n_weights + 1  # the reach of private axes
    assert 0.95 * n_parameters < fitted.n_parameters_ <= n_parameters
    wider = fitted.architecture_.scaled(1.1)
    again = clone(fitted).set_params(architecture=wider).fit(digits[0])
    assert again.n_parameters_ > n_parameters


def test_sizes_that_do_not_fit(digits):
    with pytest.raises(ValueError, match=r"Got n_parameters=100, expected at least \d"):
        embedder(n_parameters=100).fit(digits[0])
    with pytest.raises(ValueError, match="expected one or more positive"):
        embedder("ode", widths=()).fit(digits[0])


def test_convolutions_ask_for_images(digits):
    with pytest.raises(ValueError, match=r"Got architecture=DeepKENN\(b.*='auto'"):
        embedder("deep-conv", grid_shape=None).fit(digits[0])


def test_point_clouds_are_told_the_way_out():
    with pytest.raises(TypeError, match="Bin the clouds first"):
        embedder().fit([np.zeros((3, 2)), np.ones((4, 2))])


@pytest.mark.parametrize(
    ("kind", "position"),
    [("deep", {}), ("ode", {"support": 2.0 * np.arange(32)[:, None]})],
)
def test_histograms_that_are_no_image(kind, position):
    X = on_a_line(150)
    fitted = learn(X[:100], kind, grid_shape=None, max_iter=20, **position)
    assert fitted.score(X[100:]) > 0.9


@pytest.mark.filterwarnings("ignore:Got labels that are all 0")
@pytest.mark.parametrize("measure", [np.arange(64.0), np.ones(64)])
def test_all_measures_equal(kind, measure):
    name, aggregation = kind
    X = np.tile(measure, (12, 1))
    fitted = embedder(name, aggregation=aggregation).fit(X)
    W = fitted.pairwise_distances(X)
    assert np.isfinite(W).all()
    assert np.abs(W).max() < 1e-3


@pytest.mark.parametrize("aggregation", ["l1", "l2"])
def test_the_unit_of_the_support_is_the_unit_of_W(aggregation, digits):
    support = np.indices((8, 8)).reshape(2, -1).T
    W, weights = [], []
    for unit in (1.0, 1e3):
        parameters = {"grid_shape": None, "support": unit * support}
        fitted = embedder(aggregation=aggregation, **parameters).fit(digits[0])
        W.append(fitted.pairwise_distances(digits[1]))
        weights.append(fitted.block_weights_)
    assert relative_error(W[1], 1e3 * W[0]) < 1e-2
    power = 1 if aggregation == "l1" else 2
    np.testing.assert_allclose(weights[1], 1e3**power * weights[0], rtol=1e-2)


def test_the_adjoint_trains_alike(digits):
    direct, adjoint = (
        learn(digits[0], "ode", n_nodes=5, adjoint=adjoint, max_iter=4)
        for adjoint in (False, True)
    )
    assert adjoint.score(digits[1]) == pytest.approx(direct.score(digits[1]), abs=0.02)


def test_an_adaptive_solver_is_near_rk4(digits):
    fixed = learn(digits[0], "ode", n_nodes=9, max_iter=2)
    W = fixed.pairwise_distances(digits[1])
    fixed.module_.encoder.features.solver = "dopri5"
    error = relative_error(fixed.pairwise_distances(digits[1]), W)
    assert 0 < error < 1e-2
    assert embedder("ode", solver="dopri5", max_iter=1).fit(digits[0]).n_iter_ == 1


@pytest.mark.slow
def test_decoded_images_are_measures_like_the_data(kind, digits):
    name, aggregation = kind
    parameters = {"aggregation": aggregation, "decoder": HistogramDecoder(0.02)}
    fitted = learn(digits[0], name, n_pairs=500, max_iter=20, **parameters)
    X = digits[0] / digits[0].sum(axis=1, keepdims=True)
    decoded = fitted.inverse_transform(fitted.transform(X))
    np.testing.assert_allclose(decoded.sum(axis=1), 1, rtol=1e-5)
    mean_image = np.abs(X - X.mean(axis=0)).sum()
    assert np.abs(X - decoded).sum() < 0.9 * mean_image
    assert not hasattr(embedder(name), "inverse_transform")


@pytest.mark.slow
def test_grid_search_over_architectures_and_aggregations(digits, tmp_path):
    """In a pipeline with neighbours."""
    X, X_test, y, y_test = digits
    pipeline = make_pipeline(
        embedder("ode", memory=str(tmp_path)), KNeighborsClassifier(3)
    )
    grid = {
        "kuratowskiembedder__architecture": [
            ARCHITECTURES[kind] for kind in ("last", "deep", "ode")
        ],
        "kuratowskiembedder__architecture__aggregation": ["l1", "l2"],
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["mean_test_score"]) == 6
    assert search.cv_results_["mean_test_score"].min() > 0.5
    assert search.score(X_test, y_test) > 0.75
