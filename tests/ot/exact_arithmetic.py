"""Transport without rounding: an oracle for small problems, however far they reach."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

# Digits of costs; they may span 1e-40 to 1e80.
_DIGITS = 200
# The unit of perturbed masses, so that no pivot moves nothing.
_FINE = 10**6


def exact_w(mu, nu, p):
    """Return W_p of two measures of masses scaled to sum 1 exactly, as a Decimal.

    Parameters
    ----------
    mu, nu : tuple of (points, masses)
        Arrays of shape (n, d) and (n,); floats are taken for what they are.
    p : float
        Order.
    """
    (x, a), (y, b) = mu, nu
    with localcontext(prec=_DIGITS):
        costs = [[_power(u, v, p) for v in y.tolist()] for u in x.tolist()]
        # In whole numbers of a unit far below any cost.
        shift = Decimal(10) ** _DIGITS
        C = [[int(cost * shift) for cost in row] for row in costs]
        masses_a, masses_b, one = _balanced(a.tolist(), b.tolist())
        basis = _optimal_basis(masses_a, masses_b, C)
        total = _cost(masses_a, masses_b, basis, C)
        return (Decimal(total) / shift / one) ** (1 / Decimal(p))


def _power(u, v, p):
    gap = sum((Fraction(s) - Fraction(t)) ** 2 for s, t in zip(u, v, strict=True))
    square = Decimal(gap.numerator) / Decimal(gap.denominator)
    return square ** (Decimal(p) / 2) if square else square


def _balanced(a, b):
    """Return masses as whole numbers with equal sums, and those sums."""
    a, b = [Fraction(mass) for mass in a], [Fraction(mass) for mass in b]
    one = max(mass.denominator for mass in a + b)  # powers of two
    a, b = [int(mass * one) for mass in a], [int(mass * one) for mass in b]
    return [mass * sum(b) for mass in a], [mass * sum(a) for mass in b], sum(a) * sum(b)


def _optimal_basis(a, b, C):
    """Return the arcs of an optimal spanning tree, by the primal simplex method."""
    n, m = len(a), len(b)
    a, b = [mass * _FINE + 1 for mass in a], [mass * _FINE for mass in b]
    b[-1] += n
    flow = _in_order(a, b)
    while True:
        parent, potential = _rooted(flow, n, m, C)
        entering, least = None, 0
        for i in range(n):
            for j in range(m):
                reduced = C[i][j] - potential[i] - potential[n + j]
                if reduced < least:
                    entering, least = (i, j), reduced
        if entering is None:
            return list(flow)
        i, j = entering
        path = _path(parent, i, n + j)
        arcs = [(min(ends), max(ends) - n) for ends in pairwise(path)]
        leaving = min(arcs[::2], key=flow.get)
        moved = flow[leaving]
        for k, arc in enumerate(arcs):
            flow[arc] += moved if k % 2 else -moved
        del flow[leaving]
        flow[entering] = moved


def _in_order(a, b):
    """Return the flow that fills both in order; perturbed, so never both at once."""
    a, b, flow, i, j = a[:], b[:], {}, 0, 0
    while True:
        moved = min(a[i], b[j])
        flow[i, j] = moved
        a[i] -= moved
        b[j] -= moved
        if i == len(a) - 1 and j == len(b) - 1:
            return flow
        if a[i] == 0 and i < len(a) - 1:
            i += 1
        else:
            j += 1


def _rooted(flow, n, m, C):
    neighbors = [[] for _ in range(n + m)]
    for i, j in flow:
        neighbors[i].append(n + j)
        neighbors[n + j].append(i)
    parent, potential, reached = {0: None}, {0: 0}, [0]
    for u in reached:
        for v in neighbors[u]:
            if v not in parent:
                i, j = min(u, v), max(u, v) - n
                parent[v], potential[v] = u, C[i][j] - potential[u]
                reached.append(v)
    return parent, potential


def _path(parent, start, end):
    """Return the nodes between two nodes of a tree."""
    ways = []
    for node in (start, end):
        way = [node]
        while parent[way[-1]] is not None:
            way.append(parent[way[-1]])
        ways.append(way)
    up, down = ways
    while len(up) > 1 and len(down) > 1 and up[-2] == down[-2]:
        up.pop()
        down.pop()
    return up + down[-2::-1]


def _cost(a, b, basis, C):
    """Return what the flow costs that masses force on the arcs of a tree."""
    n = len(a)
    balance, arcs, total = [*a, *b], set(basis), 0
    while arcs:
        degree = [0] * len(balance)
        for i, j in arcs:
            degree[i] += 1
            degree[n + j] += 1
        for i, j in list(arcs):
            if degree[i] == 1 or degree[n + j] == 1:
                moved = balance[i] if degree[i] == 1 else balance[n + j]
                assert moved >= 0
                balance[i] -= moved
                balance[n + j] -= moved
                total += moved * C[i][j]
                arcs.remove((i, j))
                break
    return total
