"""What tests of all rooms share: small images, an embedder of them, and a clock."""

import threading
import warnings
from functools import partial

import pytest
from sklearn.datasets import load_digits
from toys import LEARNING, make_small

from skwass import DeepWassersteinEmbedder
from skwass.architectures import Slices
from skwass.nn.objectives import PairObjective
from skwass.ot import pairwise_wasserstein


@pytest.fixture(scope="session")
def digits():
    """Return 200 training and 100 test images of 8 x 8 pixels, and their classes."""
    X, y = load_digits(return_X_y=True)
    return X[:200], X[200:300], y[:200], y[200:300]


@pytest.fixture(scope="session")
def test_distances(digits):
    return pairwise_wasserstein(digits[1], grid_shape=(8, 8))


@pytest.fixture(scope="session")
def labelled_digits(digits):
    """Return 60 training images and W of all pairs: some of it is not Euclidean."""
    X = digits[0][:60]
    return X, pairwise_wasserstein(X, grid_shape=(8, 8))


@pytest.fixture
def small():
    """Return a constructor of embedders that are small and fast."""
    return partial(make_small, DeepWassersteinEmbedder)


@pytest.fixture(scope="session")
def fitted(digits):
    """Return an embedder that has learned something; tests must not modify it."""
    larger = {**LEARNING, "n_components": 50, "max_iter": 20}
    larger["architecture"] = Slices(widths=(128,))
    return make_small(DeepWassersteinEmbedder, **larger).fit(digits[0])


@pytest.fixture
def batches(monkeypatch):
    """Return the list of batches that training has seen, as it grows."""
    seen, original = [], PairObjective.__call__

    def spy(self, model, batch, progress):
        seen.append(batch)
        return original(self, model, batch, progress)

    monkeypatch.setattr(PairObjective, "__call__", spy)
    return seen


@pytest.fixture(scope="module")
def client():
    """Return the client of a dask cluster of two processes on this machine."""
    dask = pytest.importorskip("dask")
    distributed = pytest.importorskip("distributed")
    # Of dask: on a busy machine its own are too short.
    limits = {f"distributed.comm.timeouts.{k}": "300s" for k in ("connect", "tcp")}
    with (
        warnings.catch_warnings(),
        dask.config.set(limits),
        distributed.Client(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",  # any free port: another cluster may run here
            timeout="300s",
        ) as client,
    ):
        yield client


class Clock:
    """Time that passes when a test says so."""

    def __init__(self, monkeypatch):
        self.seconds, self.n_readings, self.lock = 0.0, 0, threading.Lock()
        self.monkeypatch = monkeypatch

    def now(self):
        self.n_readings += 1
        assert self.n_readings < 10**6, "the clock stands still: charge something"
        return self.seconds

    def charge(self, seconds, owner, name):
        """Let each call of a function take this long.

        `owner` is the class or module where its callers look it up.
        """
        function = getattr(owner, name)

        def charged(*args, **kwargs):
            with self.lock:
                self.seconds += seconds
            assert self.seconds < 10**5, "time has passed every limit"
            return function(*args, **kwargs)

        self.monkeypatch.setattr(owner, name, charged)


@pytest.fixture
def clock(monkeypatch):
    """Stop the clock that limits on time are read from; return what moves it."""
    clock = Clock(monkeypatch)
    monkeypatch.setattr("skwass._clock.now", clock.now)
    return clock
