"""Searches in other processes: each sees a part of the measures; the same answer."""

import joblib
import pytest
from brute import make
from numpy.testing import assert_array_equal

from skwass import PseudobulkEmbedder
from skwass.neighbors import WassersteinNeighbors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "default::ResourceWarning",
        "default::DeprecationWarning",
        "default::pytest.PytestUnraisableExceptionWarning",
    ),
]


@pytest.mark.parametrize("kind", ["grid", "weighted"])
def test_two_workers_give_the_same_answer(client, kind):
    X, Q = make(kind, 0)
    model = WassersteinNeighbors(PseudobulkEmbedder(), 4, random_state=0).fit(X)
    expected = model.search(Q)
    with joblib.parallel_config(backend="dask"):
        whole = model.search(Q)
        shards = model.set_params(n_shards=2).search(Q)
    for found in (whole, shards):
        assert found.is_proved.all()
        assert_array_equal(found.distances, expected.distances)
        assert_array_equal(found.indices, expected.indices)
