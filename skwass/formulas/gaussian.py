"""Gaussians of the same moments as measures, and the tangent space of one of them."""

import numpy as np

from ..measures.subsets import center_of
from ..ot.summaries import Gaussians, moments, without_padding

# A direction of the mean covariance is null below this share of the largest variance.
_NULL = 1e-12
# Pairs that are compared at a time.
_N_COMPARED = 2**14


def mean_moments(measures):
    """Return the mean of the means of measures, and of their covariances."""
    location = center_of(measures)
    covariance = np.zeros((len(location), len(location)))
    for _, x, a in moments(measures, location):
        covariance += (a[:, None] * x).T @ x / len(measures)
    return location, covariance


def summaries_of(measures, origin):
    """Return means and factors of covariances: [n, 1 + d, d]."""
    return Gaussians().summarise(moments(measures, origin), n_rows=1 + len(origin))


def paired_gaussian_distances(summaries, pairs):
    """Return distances of some pairs of summaries."""
    parts = [
        Gaussians().compare(*summaries[pairs[k : k + _N_COMPARED]].swapaxes(0, 1))
        for k in range(0, len(pairs), _N_COMPARED)
    ]
    return np.concatenate(parts)


def tangent(factors, variances, axes):
    """Return coordinates of covariances in the tangent space of one of them.

    With the root `C^1/2 S C^1/2 = G^2` in the axes of C, `T_ij = G_ij / sqrt(c_i c_j)`,
    and the squared length of T is the sum over i and j of `c_j T_ij^2`.

    Parameters
    ----------
    factors : ndarray of shape (n, r, d)
        R, where `S = R' R`.
    variances, axes : ndarray of shape (k,) and (d, k)
        Eigenvalues of C, all positive, and eigenvectors.

    Returns
    -------
    coordinates : ndarray of shape (n, k (k + 1) / 2)
    """
    B = without_padding(factors) @ (axes * np.sqrt(variances))
    _, s, Vt = np.linalg.svd(B, full_matrices=False)  # the root is V s V'
    G = (Vt.swapaxes(1, 2) * s[:, None]) @ Vt
    i, j = np.triu_indices(len(variances))
    weight = np.sqrt(1 / variances[i] + np.where(i == j, 0, 1 / variances[j]))
    return G[:, i, j] * weight


def principal_axes(covariance):
    """Return variances and axes of a covariance, null directions left out."""
    variances, axes = np.linalg.eigh(covariance)
    extends = variances > _NULL * variances[-1]
    return variances[extends], axes[:, extends]
