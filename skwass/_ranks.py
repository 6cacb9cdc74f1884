"""Processes that fit one network together, if torch.distributed is initialised.

Each calls `fit` with the same data. Here is all that they say to each other; alone, and
outside of `together`, each function gives back what it got.
"""

import pickle
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.distributed as dist

# Chunks that each rank labels before all tell each other: what a kill may cost.
_N_CHUNKS = 4


_are_together = ContextVar("are_together", default=False)


@contextmanager
def together():
    """Let the processes of a group do one thing together, all of them the same.

    Elsewhere each is alone: one of them may transform, or score, without the others.
    """
    token = _are_together.set(dist.is_available() and dist.is_initialized())
    try:
        yield
    finally:
        _are_together.reset(token)


@contextmanager
def alone():
    """Let one process of those that are together do something without the others."""
    token = _are_together.set(False)
    try:
        yield
    finally:
        _are_together.reset(token)


def n_ranks():
    """Return the number of processes; 1 for one alone."""
    return dist.get_world_size() if _are_together.get() else 1


def rank():
    """Return the number of this process; 0 for one alone."""
    return dist.get_rank() if n_ranks() > 1 else 0


def gather(value):
    """Return the values of all processes, in the order of their numbers."""
    if n_ranks() == 1:
        return [value]
    values = [None] * n_ranks()
    _call(dist.all_gather_object, values, value)
    return values


def from_first(value):
    """Return the value that the first process has."""
    if n_ranks() == 1:
        return value
    values = [value]
    _call(dist.broadcast_object_list, values, src=0)
    return values[0]


def average(tensors):
    """Replace tensors by their means over all processes."""
    if n_ranks() == 1:
        return
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    _call(dist.all_reduce, flat)
    flat /= n_ranks()
    for tensor, part in zip(
        tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True
    ):
        tensor.copy_(part.view_as(tensor))


def by_all(numbers, label):
    """Yield what a function of some numbers yields, each process doing its share.

    Parameters
    ----------
    numbers : sequence of int
        Of chunks.
    label : callable
        `label(some)` yields a number and an answer for each of some numbers.

    Raises
    ------
    Exception
        That of the first process that failed, in all of them.
    """
    if n_ranks() == 1:
        yield from label(numbers)
        return
    step = _N_CHUNKS * n_ranks()
    for start in range(0, len(numbers), step):
        some = numbers[start : start + step]
        answers, failure = [], None
        try:
            answers = list(label(some[rank() :: n_ranks()]))
        except Exception as error:
            failure = _as_sent(error)
        parts = gather((answers, failure))
        for _, failed in parts:
            if failed is not None:
                raise failed
        found = (answer for answers, _ in parts for answer in answers)
        yield from sorted(found, key=lambda answer: answer[0])


def _as_sent(error):
    """Return an exception that other processes can read, the same if that goes."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _call(function, *values, **settings):
    try:
        function(*values, **settings)
    except RuntimeError as error:
        raise RuntimeError(
            f"Got no answer from one of {n_ranks()} processes, expected that all call "
            f"fit with the same data, to its end: {error}. Was one killed? Start all "
            "again; with checkpoint= they go on where they stood."
        ) from error
