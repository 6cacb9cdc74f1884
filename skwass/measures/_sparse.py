"""Histograms of which only the bins with mass are held."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ._collections import Histograms
from ._views import CloudView


class SparseHistograms(Histograms):
    """Histograms on one support, of which only the bins with mass are held.

    Documents by words, samples by taxa, cells by genes: thousands of bins, of which a
    measure has a few. Everything that takes :class:`Histograms` takes these, and gives
    the same answers up to rounding. Build it with :func:`as_measures` from a sparse
    matrix.

    Parameters
    ----------
    masses : csr_array of shape (n_measures, n_bins), float64
        Rows of positive entries that sum to 1, in the order of columns.
    support : ndarray of shape (n_bins, d), float64
        Positions of the bins.
    grid_shape : tuple of int, default=None
        The grid that `support` enumerates in C order, if it is one.

    See Also
    --------
    as_measures : Makes it, and checks what it is made of.
    Histograms : Those of which all bins are held.
    CloudView : What `to_clouds` gives, with the support as the table.

    Notes
    -----
    Distances, and all that is computed from clouds, see the bins with mass alone. No
    dense matrix is made but where each bin is a number that something has to be learned
    of: by networks of masses and decoders of histograms, by the walk of
    :class:`skwass.DiffusionEMDEmbedder`, and for entropic distances on a grid, batch by
    batch.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skwass.measures import as_measures
    >>> words = [[0.0, 1.0], [3.0, 4.0], [5.0, 6.0]]
    >>> documents = as_measures(csr_array([[0, 2, 2], [1, 0, 0]]), support=words)
    >>> documents
    SparseHistograms(2 measures, 3 bins)
    >>> documents.measure(0)
    (array([[3., 4.],
           [5., 6.]]), array([0.5, 0.5]))
    """

    masses: Any  # scipy has no types

    def __sizeof__(self):
        parts = self.masses.data, self.masses.indices, self.masses.indptr, self.support
        return sum(part.nbytes for part in parts)

    def __reduce__(self):
        # Arrays alone: scipy notes on a matrix what it was asked, and equal ones would
        # get different hashes.
        masses = self.masses
        arrays = masses.data, masses.indices, masses.indptr
        return _from_arrays, (type(self), arrays, self.support, self.grid_shape)

    def measure(self, index):
        """Return `(points, masses)` of one measure, bins without mass dropped."""
        return self.to_clouds().measure(index)

    def dense_masses(self):
        """Return masses of all bins, as an array."""
        return self.masses.toarray()

    def to_clouds(self):
        """Return the same measures as a :class:`CloudView` of the support."""
        masses = self.masses
        return CloudView(self.support, masses.indices, masses.indptr, masses.data)

    @property
    def sizes(self):
        """Number of bins with mass of each measure."""
        return np.diff(self.masses.indptr)


def _from_arrays(kind, arrays, support, grid_shape):
    shape = len(arrays[-1]) - 1, len(support)
    return kind(csr_array(arrays, shape), support, grid_shape)
