"""What a search for neighbours found, and what of it is proved."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class NeighborSearch:
    """Neighbours of some measures, and what is certain about them.

    Parameters
    ----------
    distances : ndarray of shape (n_queries, n_neighbors)
        W to the neighbours, in the unit of the data, ascending. Within a radius: an
        array of arrays, one for each query.
    indices : ndarray of int, of the shape of `distances`
        Which stored measures they are.
    is_proved : ndarray of bool of shape (n_queries,)
        Whether these are certain to be the nearest of all.
    gaps : ndarray of shape (n_queries,)
        How much nearer than the last neighbour some other measure could be: 0 where
        `is_proved`, NaN where nothing is known of other measures.
    n_solves : ndarray of int of shape (n_queries,)
        Exact distances that were solved.
    n_rough : ndarray of int of shape (n_queries,)
        Pairs that were bounded by potentials of a few entropic sweeps.
    left : dict of ndarray of int of shape (n_queries,)
        How many stored measures were left, neither solved nor certain to be far, after
        each kind of bound: `"all"`, at first; `"means"`; `"gaussian"`, in up to three
        dimensions; `"projections"`; `"potentials"`, of the first solves; `"nearest"`,
        points of either measure; `"rest"`, 0 where all is proved.

    See Also
    --------
    WassersteinNeighbors : Its method `search` returns one.

    Examples
    --------
    >>> from skwass.neighbors import WassersteinNeighbors
    >>> X = [[2, 1, 0], [1, 2, 0], [0, 1, 2], [0, 0, 1], [1, 0, 1]]
    >>> found = WassersteinNeighbors(n_neighbors=2).fit(X).search([[1, 1, 0]])
    >>> found.indices
    array([[0, 1]])
    >>> found.is_proved
    array([ True])
    """

    distances: np.ndarray
    indices: np.ndarray
    is_proved: np.ndarray
    gaps: np.ndarray
    n_solves: np.ndarray
    n_rough: np.ndarray
    left: dict

    def __len__(self):
        return len(self.is_proved)

    def __repr__(self):
        return (
            f"NeighborSearch({len(self)} queries, {np.count_nonzero(self.is_proved)} "
            f"proved, {int(self.n_solves.sum())} solves)"
        )


# Kinds of bounds in the order that they are tried.
STAGES = ("all", "means", "gaussian", "projections", "potentials", "nearest", "rest")


def as_table(found, n_neighbors):
    """Return searches as rows of numbers, of one length."""
    rows = []
    for one in found:
        w, indices = np.full(n_neighbors, np.inf), np.full(n_neighbors, -1.0)
        w[: len(one.distances)] = one.distances[:n_neighbors]
        indices[: len(one.indices)] = one.indices[:n_neighbors]
        gap = 0.0 if one.is_proved else max(0.0, one.radius - one.lower)
        numbers = [one.is_proved, gap, one.n_solves, one.n_rough, one.n_unconverged]
        rows.append([*w, *indices, *numbers, *_filled(one.left)])
    return np.array(rows, dtype=np.float64)


def width_of(n_neighbors):
    """Return how many numbers :func:`as_table` makes of a search."""
    return 2 * n_neighbors + 5 + len(STAGES)


def _filled(left):
    """Return numbers for all stages; one that was not tried left what there was."""
    numbers = [left["all"]]
    for stage in STAGES[1:]:
        numbers.append(left.get(stage, numbers[-1]))
    return numbers


def from_table(table, n_neighbors, unit, is_complete):
    """Return a record of the rows of :func:`as_table`.

    Parameters
    ----------
    table : ndarray of shape (n_queries, n_numbers)
        One row per query.
    n_neighbors : int
        Of each.
    unit : float
        What a length of 1 is in the unit of the data.
    is_complete : bool
        Whether all stored measures were candidates.
    """
    k = n_neighbors
    w, indices = table[:, :k], table[:, k : 2 * k].astype(np.intp)
    is_proved, gaps, n_solves, n_rough, _ = table[:, 2 * k : 2 * k + 5].T
    left = table[:, 2 * k + 5 :].astype(int).T
    return NeighborSearch(
        unit * w,
        indices,
        (is_proved > 0) & is_complete,
        unit * gaps if is_complete else np.full(len(table), np.nan),
        n_solves.astype(int),
        n_rough.astype(int),
        dict(zip(STAGES, left, strict=True)),
    )


def ragged(found, unit, is_complete):
    """Return a record of searches that found different numbers of neighbours."""
    table = as_table(found, 0).reshape(len(found), width_of(0))
    record = from_table(table, 0, unit, is_complete)
    return replace(
        record,
        distances=as_objects([unit * one.distances for one in found]),
        indices=as_objects([one.indices for one in found]),
    )


def as_objects(rows):
    """Return an array of arrays."""
    objects = np.empty(len(rows), dtype=object)
    for k, row in enumerate(rows):
        objects[k] = row
    return objects
