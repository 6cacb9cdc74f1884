"""Plans: each pair in one chunk, each distance in its place."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skwass.ot.plans import ListedPairs, Rectangle, Triangle

SIZES = [1, 2, 15, 16, 17, 33]
chunk_sizes = pytest.mark.parametrize("chunk_size", [1, 5, 256])


def chunks_of(plan, chunk_size):
    """Return the chunks of a plan; none is too large."""
    chunks = [plan.chunk(number) for number in range(plan.n_chunks)]
    assert all(c.ndim == 2 and len(c) <= chunk_size for c in chunks)
    assert sum(map(len, chunks)) == plan.n_pairs
    return chunks


def stored(plan, distance, order=1):
    """Return what a plan makes of the distances of its pairs, zeros elsewhere."""
    out = np.zeros(plan.shape)
    for number in range(plan.n_chunks)[::order]:
        plan.store(out, number, distance(*plan.chunk(number).T))
    return out


@chunk_sizes
@pytest.mark.parametrize("n", SIZES)
def test_a_triangle_has_each_pair_once_and_a_symmetric_matrix(n, chunk_size):
    plan = Triangle(n, chunk_size)
    pairs = np.concatenate(chunks_of(plan, chunk_size))
    i, j = np.triu_indices(n, 1)
    assert_array_equal(pairs[np.lexsort(pairs.T[::-1])], np.column_stack([i, j]))
    w = stored(plan, lambda i, j: 1.0 + i + n * j)
    expected = np.zeros((n, n))
    expected[i, j] = expected[j, i] = 1 + i + n * j
    assert_array_equal(w, expected)
    assert_array_equal(w, w.T)


@chunk_sizes
@pytest.mark.parametrize("n_right", SIZES)
@pytest.mark.parametrize("n_left", SIZES)
def test_a_rectangle_has_each_pair_once(n_left, n_right, chunk_size):
    plan = Rectangle(n_left, n_right, chunk_size)
    chunks = chunks_of(plan, chunk_size)
    everything = np.indices((n_left, n_right)).reshape(2, -1).T
    pairs = np.concatenate(chunks)
    assert_array_equal(pairs[np.lexsort(pairs.T[::-1])], everything)
    expected = np.arange(1.0, 1 + n_left * n_right).reshape(n_left, n_right)
    for order in (1, -1):
        w = stored(plan, lambda i, j: 1.0 + i * n_right + j, order)
        assert_array_equal(w, expected)
    # Few measures a tile.
    side = int(chunk_size**0.5)
    for chunk in chunks:
        assert max(len(np.unique(column)) for column in chunk.T) <= side


@chunk_sizes
@pytest.mark.parametrize("n_pairs", [*SIZES, 255, 256, 257])
def test_listed_pairs_keep_their_order_and_repeats(n_pairs, chunk_size):
    pairs = np.random.default_rng(0).integers(0, 9, (n_pairs, 2))
    plan = ListedPairs(pairs, chunk_size)
    assert_array_equal(np.concatenate(chunks_of(plan, chunk_size)), pairs)
    w = stored(plan, lambda i, j: 1.0 + i + 9 * j, -1)
    assert_array_equal(w, 1 + pairs[:, 0] + 9 * pairs[:, 1])


@pytest.mark.parametrize(
    "plan",
    [Triangle(10**7, 256), Rectangle(10**7, 10**7, 256)],
    ids=["triangle", "rectangle"],
)
def test_a_plan_of_many_measures_makes_only_the_pairs_asked_for(plan):
    chunk = plan.chunk(np.int64(plan.n_chunks - 1))
    assert_array_equal(chunk[-1], [10**7 - 1 - isinstance(plan, Triangle), 10**7 - 1])
    assert len(chunk) == (120 if isinstance(plan, Triangle) else 256)
