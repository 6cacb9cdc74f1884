"""Exact distances of small clouds of one size, beside a loop over POT.

    python benchmarks/small_clouds.py [--dim 155]

All in one thread, on random pairs of 200 Gaussian clouds of n points, and of n and
n + 1 points, the best of three rounds. The loops call `ot.emd2` on the matrix that
`ot.dist` makes, and `scipy.optimize.linear_sum_assignment` on the same, which solves
clouds of one size, without a certificate.
"""

import argparse
import time

import numpy as np
import ot
from scipy.optimize import linear_sum_assignment
from threadpoolctl import threadpool_limits

from skwass.ot import pairwise_wasserstein

SIZES = {5: 3_000, 11: 3_000, 30: 1_500, 50: 800, 100: 300, 300: 40}


def best_of_three(function):
    """Return the least time of three calls."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dim", type=int, default=155)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    print("microseconds per pair")
    print("| points | skwass | loop over ot.emd2 | ratio | loop over assignment |")
    print("|---|---|---|---|---|")
    for n, n_pairs in SIZES.items():
        for m in (n, n + 1):
            X = rng.normal(size=(200, n, args.dim))
            Y = rng.normal(size=(200, m, args.dim))
            pairs = rng.integers(200, size=(n_pairs, 2))

            def ours(X=X, Y=Y, pairs=pairs):
                return pairwise_wasserstein(X, Y, pairs=pairs)

            def by_pot(X=X, Y=Y, pairs=pairs):
                return [ot.emd2([], [], ot.dist(X[i], Y[j])) for i, j in pairs]

            def by_assignment(X=X, Y=Y, pairs=pairs):
                return [linear_sum_assignment(ot.dist(X[i], Y[j])) for i, j in pairs]

            with threadpool_limits(1):
                np.testing.assert_allclose(ours(), np.sqrt(by_pot()), rtol=1e-6)
                own, pot = (
                    1e6 / n_pairs * best_of_three(solve) for solve in (ours, by_pot)
                )
                plain = 1e6 / n_pairs * best_of_three(by_assignment) if n == m else None
            last = "" if plain is None else f"{plain:.0f}"
            print(f"| {n}, {m} | {own:.0f} | {pot:.0f} | {pot / own:.1f} | {last} |")


if __name__ == "__main__":
    main()
