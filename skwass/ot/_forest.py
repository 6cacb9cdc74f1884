"""Masses on the arcs of a basic plan, in whole numbers: nothing is rounded."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ._simplex import EPS

# Where the sums of two measures differ by rounding, an arc is there for no other reason
# that carries less than these shares, of the heaviest arc and of what is at its ends.
_GRAIN, _GRAIN_OF_ENDS = 2.0**-50, 2.0**-12


class Forest:
    """The arcs of a basic plan, with the masses that two measures force on them.

    The arcs of a basic plan form no cycle, so leaf by leaf the masses of the measures
    say what each carries. Those of a float solver are off by 1e-16, much of an atom of
    mass 1e-12.

    Parameters
    ----------
    a, b : ndarray of shape (n,) and (m,)
        Positive masses, whose sums may differ by rounding: the difference stays where
        it is, unassigned.
    arcs : tuple of (sources, targets, masses)
        Of a basic plan.

    Attributes
    ----------
    arcs : tuple of (sources, targets, masses)
        Those that carry mass, rounded once.
    """

    def __init__(self, a, b, arcs):
        self.b = b
        whole_a, whole_b, self.one = whole_numbers(a, b)
        self.sums = sum(whole_a), sum(whole_b)
        i, j, mass = arcs
        if not self.is_balanced:
            used = mass > _GRAIN * mass.max()
            used |= mass > _GRAIN_OF_ENDS * np.minimum(a[i], b[j])
            i, j = i[used], j[used]
        n_nodes = len(a) + len(b)
        graph = coo_array((np.ones(len(i)), (i, len(a) + j)), shape=(n_nodes, n_nodes))
        self.n_parts, part = connected_components(graph, directed=False)
        self.part_a, self.part_b = part[: len(a)], part[len(a) :]
        balance = whole_a + [-mass for mass in whole_b]
        self.stray = self._stray(part.tolist(), balance)
        flow, roots = _strip_leaves(balance, i.tolist(), (len(a) + j).tolist())
        self.roots = np.empty(self.n_parts, dtype=int)
        self.roots[part[roots]] = roots
        mass = self._rounded(flow)
        self.backward = -mass[mass < 0].sum()
        used = mass > 0
        self.arcs = i[used], j[used], mass[used]

    @property
    def is_balanced(self):
        """Whether both measures have the same mass, to the last bit."""
        return self.sums[0] == self.sums[1]

    def _stray(self, part, balance):
        """Return the mass that parts lack or have too much, where sums are scaled."""
        sum_a, sum_b = self.sums
        stray = [0] * self.n_parts
        for k, mass in zip(part, balance, strict=True):
            stray[k] += mass * (sum_b if mass > 0 else sum_a)
        return np.array([abs(mass) / (sum_a * sum_b) for mass in stray])

    def doubt(self, C, f, g):
        """Return how much more or less all masses cost, scaled to equal sums.

        Parameters
        ----------
        C : ndarray of shape (n, m)
            Costs.
        f, g : ndarray of shape (n,) and (m,)
            Optimal potentials.
        """
        doubt = self.backward * C.max()
        # Inside a part masses go along its arcs, so at the cost of potentials; what is
        # left over stays at its root.
        height = np.append(f, -g)[self.roots]
        excess = abs(self.sums[1] - self.sums[0]) / self.sums[0]
        costs = np.bincount(self.part_b, self.b * (g + height[self.part_b]))
        doubt += excess * np.abs(costs).sum()
        if self.stray.any():
            inside = self.part_a[:, None] == self.part_b
            between = np.where(inside, np.inf, C)
            exits = np.full(self.n_parts, np.inf)
            np.minimum.at(exits, self.part_a, between.min(axis=1))
            np.minimum.at(exits, self.part_b, between.min(axis=0))
            # The way may lead through other parts.
            doubt += (np.count_nonzero(self.stray) - 1) * (self.stray @ exits)
        return doubt

    def _rounded(self, whole):
        return np.array([mass / self.one for mass in whole])


def are_equal(where_a, where_b, a, b):
    """Whether two measures have the same mass in each place, but for rounding.

    Parameters
    ----------
    where_a, where_b : ndarray of int of shape (n,) and (m,)
        Numbers of places.
    a, b : ndarray of shape (n,) and (m,)
        Masses.
    """
    n_places = 1 + max(where_a.max(), where_b.max())
    a, b = np.bincount(where_a, a, n_places), np.bincount(where_b, b, n_places)
    rounding = EPS * (len(where_a) + len(where_b)) * np.maximum(a, b)
    return bool((np.abs(a - b) <= rounding).all())


def places_of(D):
    """Return numbers of places, one for points at distance 0, of both sides."""
    n, m = D.shape
    i, j = np.nonzero(D == 0)
    graph = coo_array((np.ones(len(i)), (i, n + j)), shape=(n + m, n + m))
    place = connected_components(graph, directed=False)[1]
    return place[:n], place[n:]


def whole_numbers(*masses):
    """Return lists of masses in a unit in which all are whole, and 1 in that unit."""
    ratios = [[x.as_integer_ratio() for x in part.tolist()] for part in masses]
    one = max(q for part in ratios for _, q in part)  # floats are over powers of two
    return *([p * (one // q) for p, q in part] for part in ratios), one


def _strip_leaves(balance, tails, heads):
    """Return what arcs carry from tails to heads, and where the rest is left over."""
    arcs_of: list[set[int]] = [set() for _ in balance]
    for arc, (u, v) in enumerate(zip(tails, heads, strict=True)):
        arcs_of[u].add(arc)
        arcs_of[v].add(arc)
    flow, is_root = [0] * len(tails), [True] * len(balance)
    leaves = [u for u, arcs in enumerate(arcs_of) if len(arcs) == 1]
    while leaves:
        u = leaves.pop()
        if not arcs_of[u]:
            continue  # its one arc went with the leaf at the other end
        arc = arcs_of[u].pop()
        is_tail = u == tails[arc]
        v = heads[arc] if is_tail else tails[arc]
        flow[arc] = balance[u] if is_tail else -balance[u]
        balance[v] += balance[u]
        is_root[u] = False
        arcs_of[v].remove(arc)
        if len(arcs_of[v]) == 1:
            leaves.append(v)
    return flow, [u for u, stays in enumerate(is_root) if stays]
