"""Settings of libraries that thread by themselves: lowered in workers, restored."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from skwass.ot import pairwise_wasserstein
from skwass.ot.threads import SingleThreaded

DIRACS = np.eye(30)
# Seconds: what has not happened by then never will, on however busy a machine.
_LONG = 300


def blas_threads():
    # SCS, which other tests import, brings a BLAS that cannot thread.
    return {
        lib["num_threads"]
        for lib in threadpool_info()
        if lib["user_api"] == "blas" and lib.get("threading_layer") != "disabled"
    }


@pytest.fixture(autouse=True)
def _two_threads():
    """Start from two threads, that one be less."""
    before, others = torch.get_num_threads(), set(threading.enumerate())
    with threadpool_limits(2, "blas"):
        if blas_threads() != {2}:
            pytest.skip("BLAS of one thread has nothing to lower")
        torch.set_num_threads(2)
        yield
        # After an exception the other workers are not awaited: they may begin a chunk.
        for worker in set(threading.enumerate()) - others:
            worker.join(_LONG)
            assert not worker.is_alive()
        assert not SingleThreaded._n_inside
        assert settings_here_and_in_a_new_thread() == [(2, {2})] * 2
        torch.set_num_threads(before)


def settings():
    return torch.get_num_threads(), blas_threads()


def settings_here_and_in_a_new_thread():
    with ThreadPoolExecutor(1) as pool:
        return [settings(), pool.submit(settings).result()]


class Watching:
    """Ground truth that notes the settings that it runs under."""

    def __init__(self, faulty=False):
        self.faulty, self.seen = faulty, {}

    def solve(self, mu, nu):
        thread = threading.get_ident()
        if len(self.seen.setdefault(thread, [])) < 3:
            self.seen[thread].append(settings())
        w = abs(float(mu[0][0, 0] - nu[0][0, 0]))
        return (np.nan if self.faulty and w == 20 else w), True


@pytest.mark.parametrize("n_jobs", [2, 5])
def test_a_worker_uses_one_thread(n_jobs):
    watching = Watching()
    pairwise_wasserstein(DIRACS, ground_truth=watching, n_jobs=n_jobs, chunk_size=4)
    assert threading.get_ident() not in watching.seen
    seen = [pair for some in watching.seen.values() for pair in some]
    assert seen
    assert all(pair == (1, {1}) for pair in seen)


@pytest.mark.parametrize("n_jobs", [None, 1])
def test_a_single_worker_keeps_its_threads(n_jobs):
    watching = Watching()
    pairwise_wasserstein(DIRACS, ground_truth=watching, n_jobs=n_jobs)
    assert list(watching.seen) == [threading.get_ident()]
    assert watching.seen[threading.get_ident()][0] == (2, {2})


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_exception_restores_too(n_jobs):
    """The fixture looks at the settings afterwards."""
    watching = Watching(faulty=True)
    with pytest.raises(ValueError, match="Got W=nan"):
        pairwise_wasserstein(DIRACS, ground_truth=watching, n_jobs=n_jobs, chunk_size=9)


@pytest.mark.parametrize("is_nested", [False, True])
def test_workers_that_overlap_restore_when_the_last_leaves(is_nested):
    """In either order: the first to enter leaves first, or last."""
    entered, may_leave = threading.Event(), threading.Event()
    after = []

    def other():
        with SingleThreaded():
            entered.set()
            may_leave.wait(_LONG)
            assert settings() == (1, {1})
        after.append(settings())

    thread = threading.Thread(target=other)
    with SingleThreaded():
        thread.start()
        assert entered.wait(_LONG)
        assert settings() == (1, {1})
        if is_nested:
            may_leave.set()
            thread.join()
            assert settings() == (1, {1})
            # torch's own setting is this thread's; BLAS's is everybody's.
            assert after == [(2, {1})]
    if not is_nested:
        # Someone is still inside.
        assert settings() == (2, {1})
        may_leave.set()
        thread.join()
        assert after == [(2, {2})]
    assert settings() == (2, {2})


def test_many_workers_at_random_restore():
    def work(seed):
        for n_turns in np.random.default_rng(seed).integers(10_000, size=(10, 2)):
            with SingleThreaded():
                assert settings() == (1, {1})
                turn(n_turns[0])
            turn(n_turns[1])

    def turn(n_times):
        for _ in range(n_times):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert settings() == (2, {2})
