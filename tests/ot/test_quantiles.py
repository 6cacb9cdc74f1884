"""Quantile functions, averaged over cells."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from skwass.measures import as_measures
from skwass.ot import quantiles
from skwass.ot.quantiles import centred_cells, draw_directions, quantile_cells


def test_cells_are_averages_of_the_quantile_function():
    rng = np.random.default_rng(0)
    z = np.sort(rng.normal(size=(2, 3, 7)), axis=-1)
    a = rng.dirichlet(np.ones(7), size=(2, 3))
    a[0, 0, 3] = 0
    a /= a.sum(axis=-1, keepdims=True)
    cells = quantile_cells(torch.from_numpy(z), torch.from_numpy(a), 5).numpy()
    u = (np.arange(500_000) + 0.5) / 500_000
    for index in np.ndindex(2, 3):
        k = np.searchsorted(a[index].cumsum(), u).clip(max=6)
        expected = z[index][k].reshape(5, -1).mean(axis=1)
        assert_allclose(cells[index], expected, atol=1e-4)
    assert_allclose(cells.mean(axis=-1), (a * z).sum(axis=-1), atol=1e-12)


def test_batches_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    clouds = as_measures(
        [(rng.normal(size=(n, 2)), rng.uniform(size=n)) for n in (3, 9, 4, 30, 5)]
    )
    images = as_measures(rng.uniform(size=(9, 12)), grid_shape=(3, 4))
    directions = draw_directions(2, 4, np.random.RandomState(0))
    for measures in (clouds, images):
        whole = centred_cells(measures, directions, 6, np.zeros(2))
        with monkeypatch.context() as patch:
            patch.setattr(quantiles, "_MAX_ENTRIES", 50)
            parts = centred_cells(measures, directions, 6, np.zeros(2))
        for one, other in zip(whole, parts, strict=True):
            assert_allclose(one, other, atol=1e-12)
        means = [a @ x for x, a in map(measures.measure, range(len(measures)))]
        assert_allclose(whole[0], means)
        assert_allclose(whole[1].mean(axis=2), 0, atol=1e-12)


@pytest.mark.parametrize(("dim", "n"), [(1, 1), (2, 5), (3, 6)])
def test_directions_are_orthonormal_bases(dim, n):
    rng = np.random.RandomState(0)
    directions = draw_directions(dim, n, rng)
    assert directions.shape == (dim, n)
    for start in range(0, n - dim + 1, dim):
        basis = directions[:, start : start + dim]
        assert_allclose(basis.T @ basis, np.eye(dim), atol=1e-12)
    assert_allclose(draw_directions(3, 6, rng, axes_first=True)[:, :3], np.eye(3))
