"""Slopes toward probes against finite differences of the exact distance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skwass.measures import PointClouds, as_measures
from skwass.ot import ExactWasserstein
from skwass.ot.engine import label_pairs
from skwass.ot.probes import Probes


def make_clouds(n, dim, rng):
    points = [rng.normal(size=(size, dim)) for size in rng.integers(4, 9, size=n)]
    return PointClouds(points, [rng.dirichlet(np.ones(len(x))) for x in points])


def mixture(one, other, share):
    (x, a), (y, b) = one, other
    return np.concatenate([x, y]), np.concatenate([(1 - share) * a, share * b])


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("p", "dim"), [(2, 2), (2, 3), (1, 2), (3, 1)])
def test_slopes_of_clouds_are_those_of_the_distance(p, dim, centred):
    rng = np.random.default_rng(0)
    clouds, others = make_clouds(4, dim, rng), make_clouds(3, dim, rng)
    probes = Probes.of_clouds(others, centred=centred)
    truth, pairs = ExactWasserstein(p=p), np.array([[0, 1], [2, 3]])
    labels = truth.label(clouds, clouds, pairs, gradients=probes)
    assert labels.grad_mu.shape == labels.grad_nu.shape == (2, len(probes))
    share = 1e-5
    for k, (i, j) in enumerate(pairs):
        left, right = clouds.measure(i), clouds.measure(j)
        for one, other, slopes in (
            (left, right, labels.grad_mu[k]),
            (right, left, labels.grad_nu[k]),
        ):
            mean = one[1] @ one[0]
            for probe, slope in zip(map(others.measure, range(3)), slopes, strict=True):
                y, b = probe
                moved = (y - b @ y + mean, b) if centred else probe
                w, _ = truth.solve(mixture(one, moved, share), other)
                start, _ = truth.solve(one, other)
                assert slope == pytest.approx((w**p - start**p) / share, rel=1e-3)


@pytest.mark.parametrize("ground_metric", ["euclidean", "matrix"])
def test_slopes_of_histograms_are_those_of_the_distance(ground_metric):
    rng = np.random.default_rng(1)
    X = rng.random((5, 12)) * (rng.random((5, 12)) < 0.6)
    if ground_metric == "matrix":
        support = rng.normal(size=(12, 3))
        ground_metric = np.linalg.norm(support[:, None] - support, axis=2)
    measures, truth = as_measures(X), ExactWasserstein(ground_metric=ground_metric)
    probes, pairs = Probes.of_bins(measures[3:]), np.array([[0, 1], [1, 2]])
    labels = label_pairs(measures, measures, pairs, truth, gradients=probes)
    share = 1e-6
    for k, (i, j) in enumerate(pairs):
        for probe in (0, 1):
            mixed = (1 - share) * measures.masses[i] + share * measures.masses[
                3 + probe
            ]
            both = as_measures(np.stack([mixed, measures.masses[j]]))
            w = truth.label(both, both, [[0, 1]]).w[0]
            difference = (w**2 - labels.w[k] ** 2) / share
            assert labels.grad_mu[k, probe] == pytest.approx(difference, rel=1e-3)


def test_slopes_are_those_of_the_potential():
    """On bins they are its integrals, which `gradients=True` gives whole."""
    measures = as_measures(np.random.default_rng(2).random((6, 9)))
    truth, pairs = ExactWasserstein(), np.array([[0, 1], [2, 3]])
    potentials = truth.label(measures, measures, pairs, gradients=True)
    probes = Probes.of_bins(measures)
    slopes = truth.label(measures, measures, pairs, gradients=probes)
    for f, slope, side in (
        (potentials.grad_mu, slopes.grad_mu, 0),
        (potentials.grad_nu, slopes.grad_nu, 1),
    ):
        own = (f * measures.masses[pairs[:, side]]).sum(axis=1)
        assert_allclose(slope, f @ measures.masses.T - own[:, None], atol=1e-4)
