"""Padded batches: everything once, little padding, nothing lost far from the origin."""

import numpy as np
import pytest
import torch

from skwass.nn.ragged import (
    MAX_ENTRIES,
    TIGHTNESS,
    in_order,
    padded_batches,
    padded_share,
    size_buckets,
    subsample,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw(rng, sizes, dim=2):
    return [(rng.normal(size=(n, dim)), rng.dirichlet(np.ones(n))) for n in sizes]


@pytest.mark.parametrize("width", [1, 500])
def test_buckets_hold_each_cloud_once_and_little_padding(rng, width):
    sizes = rng.integers(1, 900, size=300)
    buckets = size_buckets(sizes, width)
    assert sorted(np.concatenate(buckets)) == list(range(300))
    for rows in buckets:
        assert sizes[rows].min() >= TIGHTNESS * sizes[rows].max()
        assert sizes[rows[0]] == sizes[rows].max()
        n = sizes[rows[0]]
        assert len(rows) == 1 or len(rows) * n * max(n, width) <= MAX_ENTRIES
    total = sum(len(rows) * sizes[rows].max() for rows in buckets)
    assert padded_share(sizes, width) == pytest.approx(1 - sizes.sum() / total)
    assert padded_share(sizes) < 1 - TIGHTNESS
    assert padded_share([7, 7, 7]) == 0


def test_answers_come_back_in_order(rng):
    clouds = draw(rng, [5, 40, 1, 7, 39, 6])
    batches = padded_batches(clouds, np.zeros(2), centred=False, width=1)
    assert len(batches) > 1
    means = [torch.bmm(b.masses[:, None], b.points)[:, 0] for b in batches]
    expected = np.stack([a @ x for x, a in clouds])
    np.testing.assert_allclose(in_order(batches, means), expected, atol=1e-6)


def test_clouds_are_moved_before_they_are_rounded(rng):
    (x, a), far = draw(rng, [9])[0], 1e9
    for centred, origin in ((True, np.zeros(2)), (False, np.full(2, far))):
        (batch,) = padded_batches([(x + far, a)], origin, centred=centred, width=1)
        expected = x - a @ x if centred else x
        np.testing.assert_allclose(batch.points[0], expected, atol=1e-6)


def test_subsamples_are_of_the_cloud(rng):
    (cloud,) = draw(rng, [20])
    generator = torch.Generator().manual_seed(0)
    x, a = subsample(cloud, 8, generator)
    assert len(x) == len(a) == 8
    assert a.sum() == pytest.approx(1)
    rows = [np.flatnonzero((cloud[0] == point).all(axis=1))[0] for point in x]
    assert len(set(rows)) == 8
    np.testing.assert_allclose(a / a[0], cloud[1][rows] / cloud[1][rows[0]])
    assert subsample(cloud, 20, generator) is cloud
