"""Exact distances against exact arithmetic, and what their certificates cost.

    python benchmarks/certificates.py --data DIR [--pairs 10000]

`DIR` holds `mnist_test.npz` (`X`). Two tables. First, pairs that floats find hard (far
atoms that two measures share or one has, masses over 12 decades, orders up to 10),
solved by `ExactWasserstein` and without rounding: how many are right to nine digits of
W^p, and of how many that is certified; beside them, derivatives in the points and lower
bounds. Then the time of the certificate, as a share of a solve.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from skwass.measures import PointClouds, as_measures
from skwass.ot import ExactWasserstein, _simplex
from skwass.ot.bounds import lower_bound

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "ot"))
from exact_arithmetic import exact_w
from hostile import MASSES, hostile_pair

# W^p, from which W is rounded once more.
_DIGITS = 1.001e-9


def count_pairs(n_pairs):
    """Print how many pairs are right, and certified to be."""
    rng = np.random.default_rng(0)
    counts, worst, excess, n_missed = Counter(), 0.0, 0.0, 0
    for _ in range(n_pairs):
        pair = hostile_pair(rng)
        p = pair.p
        found, converged = ExactWasserstein(p=p).solve(pair.mu, pair.nu)
        exact = exact_w(pair.mu, pair.nu, p)
        error = float(abs((type(exact)(found) / exact) ** type(exact)(p) - 1))
        counts[pair.masses, converged, error < _DIGITS + 4e-16 * p] += 1
        if converged:
            worst = max(worst, error)
            excess = max(excess, bound_of(pair) / float(exact) - 1)
            n_missed += misses_euler(pair, found)
    print("| masses | certified, right | certified, wrong | only right | neither |")
    print("|---|---|---|---|---|")
    for kind in (*MASSES, "all"):
        kinds = MASSES if kind == "all" else [kind]
        columns = [(True, True), (True, False), (False, True), (False, False)]
        row = [sum(counts[name, *column] for name in kinds) for column in columns]
        print(f"| {kind} | " + " | ".join(f"{n:,}" for n in row) + " |")
    print(f"\nCertified pairs: W^p is off by {worst:.1e} of it at most, lower bounds")
    print(f"exceed W by {max(excess, 0):.1e} of it at most, and derivatives in points")
    print(f"miss nine digits of p W^p along a stretch of both in {n_missed} pairs.\n")


def bound_of(pair):
    """Return the lower bound of a pair."""
    mu, nu = (as_measures([measure]) for measure in (pair.mu, pair.nu))
    return lower_bound(mu, nu, p=pair.p)[0, 0]


def misses_euler(pair, w):
    """Whether stretching both measures does not change W^p by the derivatives.

    W^p is homogeneous of degree p, so they add up to p W^p along a stretch about any
    point, but for the rounding of what moves far.
    """
    (x, a), (y, b) = pair.mu, pair.nu
    labels = ExactWasserstein(p=pair.p).label(
        PointClouds([x], [a]), PointClouds([y], [b]), [[0, 0]], gradients=True
    )
    if not labels.converged[0]:  # solved in order on a line, but not with derivatives
        return False
    rates = np.concatenate(
        [
            (gradient * (points - x[0])).ravel()
            for gradient, points in ((labels.grad_mu[0], x), (labels.grad_nu[0], y))
        ]
    )
    expected = pair.p * w**pair.p
    return abs(rates.sum() - expected) > 1e-9 * expected + 1e-15 * np.abs(rates).sum()


def time_certificates(folder, n_pairs=300, n_rounds=5):
    """Print the share of the time of a solve that the certificate takes."""
    with np.load(folder / "mnist_test.npz") as arrays:
        X = arrays["X"].reshape(len(arrays["X"]), -1)[:400]
    rng = np.random.default_rng(0)
    problems = {
        "MNIST": (X, {"grid_shape": (28, 28)}),
        "8 x 8 pixels": (rng.random((100, 64)), {"grid_shape": (8, 8)}),
        "clouds of 30 points in space": (rng.normal(size=(100, 30, 3)), {}),
    }
    spent = [0.0]

    def timed(function):
        def run(*parts):
            start = time.perf_counter()
            answer = function(*parts)
            spent[0] += time.perf_counter() - start
            return answer

        return run

    for name in ("_gap_of_plan", "_gap_of_arcs"):
        setattr(_simplex, name, timed(getattr(_simplex, name)))
    print("| pairs of | certificate, % of a solve | solve, ms |")
    print("|---|---|---|")
    for name, (data, options) in problems.items():
        measures = as_measures(data, **options)
        pairs = rng.integers(0, len(measures), (n_pairs, 2))
        shares, times = [], []
        for _ in range(n_rounds):
            spent[0] = 0.0
            start = time.perf_counter()
            ExactWasserstein().label(measures, measures, pairs)
            times.append(time.perf_counter() - start)
            shares.append(spent[0] / (times[-1] - spent[0]))
        ms = 1000 * np.median(times) / n_pairs
        print(f"| {name} | {100 * np.median(shares):.1f} | {ms:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=10_000)
    arguments = parser.parse_args()
    warnings.simplefilter("error", RuntimeWarning)
    count_pairs(arguments.pairs)
    time_certificates(arguments.data)


if __name__ == "__main__":
    main()
