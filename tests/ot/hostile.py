"""Pairs of measures that floats find hard: far atoms, high orders, uneven masses."""

from typing import NamedTuple

import numpy as np

ORDERS = (1, 1.5, 2, 3, 4, 6, 10)
MASSES = ("equal", "even", "decades", "dyadic")
SHAPES = ("near", "shared", "almost shared", "two shared", "one far")


class Pair(NamedTuple):
    mu: tuple  # (points, masses)
    nu: tuple
    p: float
    masses: str
    shape: str


def hostile_pair(rng, *, max_points=7, orders=ORDERS):
    """Draw a pair of measures in 1 to 5 dimensions, and an order.

    Some share an atom, or two, that is up to 1e8 times as far away as the others; or
    theirs are close to each other; or one of them has it alone. Masses span up to 12
    decades. Sums are 1: of "dyadic" masses exactly, of others but for rounding.
    """
    dim, p = int(rng.integers(1, 6)), float(rng.choice(orders))
    kind, shape = str(rng.choice(MASSES)), str(rng.choice(SHAPES))
    n, m = (int(size) for size in rng.integers(2, max_points + 1, size=2))
    if rng.random() < 0.5:
        m = n
    x, y = rng.normal(size=(n, dim)), rng.normal(size=(m, dim))
    a, b = _draw_masses(rng, kind, n), _draw_masses(rng, kind, m)
    far = np.zeros(dim)
    far[0] = 10 ** rng.uniform(0, 8)
    if shape == "one far":
        x[0] += far
    elif shape != "near":
        for k in range(2 if shape == "two shared" else 1):
            share = _draw_share(rng, kind, n)
            moved = rng.normal(size=dim) if shape == "almost shared" else 0
            x = np.vstack([x, (k + 1) * far])
            y = np.vstack([y, (k + 1) * far + moved])
            a, b = (_joined(mass, share, kind) for mass in (a, b))
    return Pair((x, a), (y, b), p, kind, shape)


def _draw_masses(rng, kind, n):
    if kind == "equal":
        return np.full(n, 1 / n)
    if kind == "dyadic":
        return on_grid(rng.dirichlet(np.ones(n)))
    masses = rng.dirichlet(np.ones(n))
    if kind == "decades":
        masses = 10.0 ** rng.uniform(-12, 0, n)
    return masses / masses.sum()


def _draw_share(rng, kind, n):
    if kind == "equal":
        return 1 / (n + 1)
    return (
        2.0 ** -rng.integers(1, 20) if kind == "dyadic" else 10 ** -rng.uniform(0.5, 8)
    )


def _joined(masses, share, kind):
    masses = np.append(masses * (1 - share), share)
    return on_grid(masses) if kind == "dyadic" else masses


def on_grid(masses):
    """Return masses in multiples of 2^-50, so that they add up without rounding."""
    masses = np.maximum(np.round(masses * 2.0**50), 1)
    masses[masses.argmax()] += 2.0**50 - masses.sum()
    return masses / 2.0**50
