"""One thread a worker: libraries that thread by themselves would compete."""

import threading
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from threadpoolctl import ThreadpoolController


class SingleThreaded:
    """Context in which BLAS, OpenMP and torch use one thread.

    OpenMP and torch keep a setting for each thread; BLAS has one for the process. The
    first to enter lowers that and the last to leave restores it, however they overlap.
    """

    _lock = threading.Lock()
    _n_inside = 0
    # Set by the first to enter, for all.
    _controller: ThreadpoolController
    _blas: Any  # restores the setting of BLAS
    _torch_threads: int

    def __enter__(self):
        cls = type(self)
        with cls._lock:
            if cls._n_inside == 0:
                cls._torch_threads = torch.get_num_threads()
                cls._controller = ThreadpoolController()
                _take_control(cls._controller)
                cls._blas = cls._controller.limit(limits=1, user_api="blas")
            cls._n_inside += 1
            self._openmp = cls._controller.limit(limits=1, user_api="openmp")
        torch.get_num_threads()  # a new thread takes over the global setting here
        torch.set_num_threads(1)
        return self

    def __exit__(self, *details):
        cls = type(self)
        self._openmp.restore_original_limits()
        torch.set_num_threads(cls._torch_threads)
        with cls._lock:
            cls._n_inside -= 1
            if cls._n_inside == 0:
                _take_control(cls._controller)
                cls._blas.restore_original_limits()
                _take_control(cls._controller)  # and leave it to whoever is next


def _take_control(controller):
    """Let any thread set OpenBLAS, where threadpoolctl (from 3.7) lets only one."""
    for library in controller.lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


def stack_blocks(function, measures, step, n_jobs=None):
    """Return what a function makes of parts of a collection, one after the other.

    Parameters
    ----------
    function : callable
        From a few measures to an array with a row for each. Its products are small, so
        that they are faster in one thread, whoever else computes.
    measures : Histograms or PointClouds
        The whole.
    step : int
        Measures in a part.
    n_jobs : int, default=None
        Workers: threads, unless :func:`joblib.parallel_config` says otherwise.

    Returns
    -------
    rows : ndarray of shape (n_measures, ...)
    """
    parallel = Parallel(n_jobs=n_jobs, prefer="threads")
    starts = range(0, len(measures), step)
    return np.concatenate(
        parallel(
            delayed(_in_one_thread)(function, measures[start : start + step])
            for start in starts
        )
    )


def _in_one_thread(function, measures):
    with SingleThreaded():
        return function(measures)
