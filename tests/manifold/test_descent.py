"""Few dimensions: below truncation, and at rest."""

import numpy as np
import pytest
from matrices import ZOO

from skwass.manifold import descent, nearest_edm
from skwass.manifold._placement import place
from skwass.manifold.descent import _descend, reduce_dimension
from skwass.manifold.nearest_edm import squared_distances

D = ZOO["digits"] / ZOO["digits"].max()
BEST = nearest_edm(D)


def stress(Z):
    return np.square(squared_distances(Z) - D).sum()


@pytest.mark.parametrize("k", [1, 2, 3, 10, 30])
def test_descent_ends_below_truncation_and_at_rest(k):
    Z, converged = reduce_dimension(BEST.embedding, D, k, 1e-12, 2_000)
    assert converged
    truncated = BEST.embedding[:, :k]
    assert stress(Z) < stress(truncated)
    if k < 30:
        assert stress(Z) < 0.8 * stress(truncated)
    R = squared_distances(Z) - D
    gradient = 8 * (R.sum(axis=1)[:, None] * Z - R @ Z)
    start = squared_distances(truncated) - D
    before = 8 * (start.sum(axis=1)[:, None] * truncated - start @ truncated)
    assert np.linalg.norm(gradient) < 1e-4 * np.linalg.norm(before)
    # Each point is where its distances to the others put it.
    np.testing.assert_allclose(place(Z, D), Z, atol=1e-3 * np.abs(Z).max())


def test_single_points_leave_places_that_only_descent_would_keep():
    """On a line points get stuck between others; moving them pays."""
    D = ZOO["uniform"]
    points = nearest_edm(D).embedding
    stuck, *_ = _descend(
        points[:, :1], np.zeros(len(D)), D, np.eye(len(D)) > 0, False, 1e-12, 2_000
    )
    free, _ = reduce_dimension(points, D, 1, 1e-12, 2_000)
    stuck, free = (np.square(squared_distances(Z) - D).sum() for Z in (stuck, free))
    assert free < 0.999 * stuck


@pytest.mark.parametrize(("n_rounds", "is_settled"), [(1, False), (50, True)])
def test_points_that_still_move_have_not_converged(n_rounds, is_settled, monkeypatch):
    monkeypatch.setattr(descent, "MAX_ROUNDS", n_rounds)
    D = ZOO["uniform"]
    points = nearest_edm(D).embedding
    assert reduce_dimension(points, D, 1, 1e-12, 2_000)[1] == is_settled


def test_more_dimensions_are_better_down_to_the_optimum():
    stresses = [
        stress(reduce_dimension(BEST.embedding, D, k, 1e-10, 2_000)[0])
        for k in (1, 2, 4, 8, 16, 32)
    ]
    assert (np.diff(stresses) < 0).all()
    assert stresses[-1] > BEST.dual_value
