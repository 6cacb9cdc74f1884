"""The nearest Euclidean distance matrix, with a certificate.

Everything here follows from one function of one vector. For symmetric, hollow `D` and
`s` of shape (n,), let `J = I - 11'/n` and::

    M(s) = J (D + Diag s) J,        rho(s) = diag M(s)_+ - s,

where `_+` keeps the positive eigenvalues. The problem is to minimise `|E - D|^2` over
hollow `E` with `-J E J` positive semidefinite. Its dual (`-2 s` multiplies the zero
diagonal) is concave, and bounds the optimum from below at each `s`::

    dual(s) = |M(s)_+|^2 - |s|^2,   with gradient 2 rho(s).

Each `s` gives a Euclidean matrix as well, and so an upper bound::

    E(s) = D + Diag s - M(s)_+ + (rho 1' + 1 rho') / 2,
    |E(s) - D|^2 = dual(s) + (n |rho|^2 + (1' rho)^2) / 2.

The last term is the duality gap: exact, never negative, and free of the cancellation
that a difference of stresses has. `s = 0` gives the eigenvalue bound and classical MDS;
at the optimum `rho = 0` and `s = (E - D) 1`.

Two things cost nothing once `M(s)` is diagonal. Along `s + c 1` the eigenvectors stay
and the eigenvalues move by `c`, so the best `c` is found exactly (the additive constant
of multidimensional scaling). And both bounds are sums over eigenvalues.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False, repr=False)
class DualPoint:
    """What one eigendecomposition says about `s`; see the head of this file.

    Parameters
    ----------
    s : ndarray of shape (n,)
        Where the dual stands.
    eigenvalues : ndarray of shape (n - 1,)
        Of `M(s)` on the centred space, ascending.
    vectors : ndarray of shape (n, n - 1)
        Their eigenvectors, orthogonal to 1.
    """

    s: np.ndarray
    eigenvalues: np.ndarray
    vectors: np.ndarray

    @cached_property
    def n_others(self):
        """Number of eigenvalues that are not positive."""
        return int(np.count_nonzero(self.eigenvalues <= 0))

    @property
    def positive(self):
        """Positive eigenvalues and their eigenvectors."""
        return self.eigenvalues[self.n_others :], self.vectors[:, self.n_others :]

    @property
    def others(self):
        """Other eigenvalues, without their sign, and their eigenvectors."""
        return -self.eigenvalues[: self.n_others], self.vectors[:, : self.n_others]

    @cached_property
    def diagonal(self):
        """Diagonal of `M(s)_+`."""
        values, vectors = self.positive
        return np.square(vectors) @ values

    @cached_property
    def rho(self):
        """Half the gradient of the dual."""
        return self.diagonal - self.s

    @cached_property
    def dual_value(self):
        """A lower bound of the optimum."""
        values, _ = self.positive
        return float(values @ values - self.s @ self.s)

    @cached_property
    def gap(self):
        """What the stress of the Euclidean matrix at `s` is above that."""
        return float(len(self.s) * (self.rho @ self.rho) + self.rho.sum() ** 2) / 2

    @property
    def stress(self):
        """An upper bound of the optimum: that matrix is feasible."""
        return self.dual_value + self.gap

    @property
    def rounding(self):
        """A gap that float64 cannot tell from zero."""
        return (2 * len(self.s) * EPS * np.abs(self.eigenvalues).max()) ** 2

    def recentred(self):
        """Return the best point of the line `s + c 1`: the same eigenvectors."""
        n, falling = len(self.s), self.eigenvalues[::-1]
        # sum_k (lambda_k + c)_+ = sum(s) + n c; the left side is the largest over j of
        # the sums over the j largest eigenvalues, so c is the largest of the solutions.
        sums = np.concatenate([[0.0], falling.cumsum()])
        c = ((sums - self.s.sum()) / (n - np.arange(n))).max()
        return DualPoint(self.s + c, self.eigenvalues + c, self.vectors)

    def embedding(self):
        """Return points, in principal axes, whose squared distances are `E(s)`."""
        values, vectors = self.others
        floor = len(self.s) * EPS * np.abs(self.eigenvalues).max()
        rank = int(np.count_nonzero(values > floor))
        return with_fixed_signs(vectors[:, :rank] * np.sqrt(values[:rank] / 2))


class Problem:
    """A matrix of squared distances, brought to one as its largest entry.

    Parameters
    ----------
    D : ndarray of shape (n, n)
        Symmetric and hollow, not negative.
    """

    def __init__(self, D):
        self.unit = float(D.max()) or 1.0
        self.D = D / self.unit
        means = self.D.mean(axis=0)
        self.centred = self.D - means - means[:, None] + means.mean()
        self.size = np.linalg.norm(self.centred)
        self.n_iter = 0

    def at(self, s):
        """Return the :class:`DualPoint` at `s`: one eigendecomposition."""
        n = len(s)
        M = self.centred - (s[:, None] + s) / n
        M += s.sum() / n**2
        M[np.diag_indices(n)] += s
        # The vector 1, of eigenvalue zero, is sent below all others and cut off.
        M -= 2 * (self.size + np.abs(s).max()) / n
        # Not scipy's: its BLAS has threads of its own, which numpy's would wait for and
        # fight; four times slower at n = 256.
        values, vectors = np.linalg.eigh(M)
        self.n_iter += 1
        return DualPoint(s, values[1:], vectors[:, 1:])

    def is_solved(self, point, tol):
        """Whether the gap is small relative to the stress, or is rounding."""
        return point.gap <= max(tol * point.stress, point.rounding)


def with_fixed_signs(Z):
    """Return columns with a sign each that makes their largest entry positive."""
    if Z.size == 0:
        return Z
    peaks = Z[np.abs(Z).argmax(axis=0), np.arange(Z.shape[1])]
    return Z * np.where(peaks < 0, -1.0, 1.0)
