"""Certificates of embeddings."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.pipeline import make_pipeline

from skwass import DeepWassersteinEmbedder, WassersteinMDS
from skwass.metrics import stress_certificate
from skwass.ot import ExactWasserstein


def test_the_optimum_certifies_itself(labelled_digits):
    X, W = labelled_digits
    mds = WassersteinMDS(ground_truth="exact", grid_shape=(8, 8)).fit(X)
    for certificate in (
        stress_certificate(mds, X),
        stress_certificate(mds, X, distances=W),
        stress_certificate(mds.distance_matrix_, distances=W),
        stress_certificate(mds.distance_matrix_, X, grid_shape=(8, 8)),
        stress_certificate(WassersteinMDS().fit(W), W),
    ):
        assert certificate.ratio == pytest.approx(1, rel=1e-5)
        assert certificate.position == pytest.approx(0, abs=1e-6)
        assert certificate.optimum == pytest.approx(mds.stress_, rel=1e-8)
        assert certificate.n_measures == 60


def test_classical_scaling_is_at_the_other_end(labelled_digits):
    _, W = labelled_digits
    J = np.eye(len(W)) - 1 / len(W)
    values, vectors = np.linalg.eigh(-J @ W**2 @ J / 2)
    Z = vectors * np.sqrt(np.maximum(values, 0))
    certificate = stress_certificate(cdist(Z, Z), distances=W)
    assert certificate.position == pytest.approx(1, rel=1e-6)
    assert certificate.stress == pytest.approx(certificate.bounds.cmds, rel=1e-8)
    pairs = ~np.eye(len(W), dtype=bool)
    error = np.square(cdist(Z, Z, "sqeuclidean") - W**2)[pairs]
    assert certificate.mse == pytest.approx(error.mean())


def test_a_network_is_above_the_optimum_and_judged_by_its_own_distance(labelled_digits):
    X, W = labelled_digits
    embedder = DeepWassersteinEmbedder(
        grid_shape=(8, 8), n_pairs=200, max_iter=2, random_state=0
    ).fit(X)
    certificate = stress_certificate(embedder, X)
    stress = np.square(embedder.pairwise_distances(X).astype(float) ** 2 - W**2).sum()
    assert certificate.stress == pytest.approx(stress, rel=1e-6)
    assert certificate.ratio > 1
    embedder.set_params(ground_truth=ExactWasserstein(p=1))
    other = stress_certificate(embedder, X)
    assert other.optimum != certificate.optimum


def test_distances_need_not_be_euclidean(labelled_digits):
    _, W = labelled_digits
    certificate = stress_certificate(W, distances=W)
    assert certificate.stress == 0
    assert certificate.ratio == 0
    assert certificate.position < 0


def test_euclidean_truth():
    x = np.arange(4.0)[:, None]
    W = cdist(x, x)
    certificate = stress_certificate(2 * W, distances=W)
    assert certificate.ratio == np.inf
    zero = np.zeros((3, 3))
    exact = stress_certificate(zero, distances=zero)
    assert exact.ratio == 1
    assert np.isnan(exact.position)
    assert stress_certificate(1 - np.eye(3), distances=zero).ratio == np.inf


def test_bad_calls(labelled_digits):
    X, W = labelled_digits
    mds = WassersteinMDS(ground_truth="exact", grid_shape=(8, 8)).fit(X[:10])
    with pytest.raises(ValueError, match="Got X=None"):
        stress_certificate(mds)
    with pytest.raises(ValueError, match="Got X=None"):
        stress_certificate(W)
    with pytest.raises(ValueError, match=r"for embeddings of 10 measures"):
        stress_certificate(mds, X[:10], distances=W)
    with pytest.raises(ValueError, match=r"Got distances of shape \(4, 10\)"):
        stress_certificate(WassersteinMDS().fit(W[:10, :10]), W[10:14, :10])
    with pytest.raises(ValueError, match="Pass distances=X if these are true"):
        stress_certificate(W, W)
    with pytest.raises(TypeError, match="Got Pipeline, which has no pairwise"):
        stress_certificate(make_pipeline(mds), X)
    with pytest.raises(ValueError, match="Pass those if rows are coordinates"):
        stress_certificate(mds.embedding_[:, :3], distances=W[:10, :10])


def test_rounding_is_no_stress():
    """Euclidean distances, to the last bits: the optimum and the exact answer are 0."""
    points = np.random.default_rng(0).uniform(size=(50, 3))
    W = cdist(points, points)
    assert stress_certificate(cdist(points + 1, points + 1), distances=W).ratio == 1
    certificate = stress_certificate(1.01 * W, distances=W)
    assert certificate.ratio == np.inf
    assert certificate.bounds.lower == certificate.bounds.cmds == 0
    assert np.isnan(certificate.position)
