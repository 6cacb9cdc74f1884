"""What may be asked for, and graphs as scikit-learn lays them out."""

from numbers import Integral, Real

import numpy as np
from scipy.sparse import csr_matrix

from ..ot.duals import has_duals


def check_count(k, n, max_solves=None, least=1):
    """Raise unless k neighbours can be found among n measures.

    Parameters
    ----------
    k : object
        Given by the user.
    n : int
        Measures that may be neighbours.
    max_solves : int, default=None
        Exact solves, at most, if neighbours have to be solved.
    least : int, default=1
        Neighbours that have to be asked for.
    """
    if not isinstance(k, Integral) or not least <= int(k) <= n:
        raise ValueError(
            f"Got n_neighbors={k!r}, expected a whole number from {least} to {n}, "
            "which is how many can be found. Ask for a number in between, or fit to "
            "more measures."
        )
    if max_solves is not None and max_solves < int(k):
        raise ValueError(
            f"Got max_solves={max_solves} with n_neighbors={k}, expected at least as "
            "many: neighbours have to be solved. Raise max_solves."
        )


def check_radius(radius, out=None):
    """Raise unless all neighbours within a radius can be asked for."""
    if not isinstance(radius, Real) or not float(radius) >= 0:
        raise ValueError(
            f"Got radius={radius!r}, expected a number >= 0. Radii are in units of W, "
            "not squared."
        )
    if out is not None:
        raise ValueError(
            f"Got out={str(out)!r} with radius={radius}, expected n_neighbors: "
            "rows of a file are of one length. Leave out one of the two."
        )


def refuse_uncertain(mode, truth):
    """Raise where a proof is asked for that the distance does not allow."""
    if mode == "certified" and not has_duals(truth):
        raise ValueError(
            f"Got mode='certified' with ground_truth={truth}, expected "
            "ExactWasserstein without a tolerance: of other distances no bound is "
            "known. Set mode='refined'."
        )


def graph_of(distances, indices, n_stored, mode):
    """Return neighbours as a sparse graph.

    Parameters
    ----------
    distances, indices : array of shape (n_queries, k), or of n_queries arrays
        Neighbours.
    n_stored : int
        Stored measures.
    mode : {"connectivity", "distance"}
        Whether edges are ones or W.
    """
    if mode not in ("connectivity", "distance"):
        raise ValueError(
            f"Got mode={mode!r}, expected 'connectivity' or 'distance'. Pass one of "
            "them."
        )
    ends = np.cumsum([0, *map(len, indices)])
    columns = np.concatenate([np.zeros(0, dtype=int), *indices])
    data = np.concatenate([np.zeros(0), *distances])
    if mode == "connectivity":
        data = np.ones(len(data))
    return csr_matrix((data, columns, ends), shape=(len(indices), n_stored))
