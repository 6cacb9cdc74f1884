"""Exact distances per second, ours beside plain loops over POT, in one table.

    python benchmarks/ground_truth.py --data DIR

`DIR` holds `mnist_test.npz`, `fashion_test.npz` (`X`) and `modelnet.npz` (`points`);
with `dwe_cat.npz` (`X`, `i`, `j`, `D`) published distances are checked too. The rows:

dense loop      `ot.emd2` on full histograms, the plain loop of many papers
support loop    `ot.emd2` on supports, the best loop that a good user would write
dense solver    seconds inside POT's compiled dense simplex alone, in the support loop
ours, ...       `pairwise_wasserstein` in threads; "loky" in two processes of joblib,
                "dask" in two of a local cluster of dask

Rounds of all rows alternate, so that drifts of the machine hit all alike; the table has
the median pairs/s of the rounds and ratios to both loops.
"""

import argparse
import time
from pathlib import Path

import joblib
import numpy as np
import ot
import threadpoolctl
from ot.lp.emd_wrap import emd_c
from scipy.spatial.distance import cdist

from skwass.measures import as_measures
from skwass.ot import (
    ExactWasserstein,
    SinkhornDivergence,
    pairwise_wasserstein,
    sample_pairs,
)

SIZES = {"mnist": 2_000, "fashion": 160, "modelnet": 24}
N_MEASURES = 1_000


def load(folder, name):
    """Return measures of a data set."""
    if name == "modelnet":
        with np.load(folder / "modelnet.npz") as arrays:
            return as_measures(arrays["points"][:N_MEASURES])
    with np.load(folder / f"{name}_test.npz") as arrays:
        X = arrays["X"][:N_MEASURES].reshape(N_MEASURES, -1)
    return as_measures(X, grid_shape=(28, 28))


def dense_loop(measures, pairs):
    """Solve on all bins."""
    M = ot.dist(measures.support)
    masses = measures.masses
    return [ot.emd2(masses[i], masses[j], M, numItermax=10**6) for i, j in pairs]


def support_loop(measures, pairs):
    """Solve on the bins that weigh something, or on clouds."""
    w2_sq = []
    for i, j in pairs:
        (x, a), (y, b) = measures.measure(i), measures.measure(j)
        cost = ot.dist(x.astype(float), y.astype(float))
        w2_sq.append(ot.emd2(a / a.sum(), b / b.sum(), cost, numItermax=10**6))
    return w2_sq


def solver_seconds(measures, pairs):
    """Return the seconds that POT's dense compiled solver takes by itself."""
    seconds = 0.0
    for i, j in pairs:
        (x, a), (y, b) = measures.measure(i), measures.measure(j)
        C = cdist(x, y, "sqeuclidean")
        C /= C.max()
        b = b * (a.sum() / b.sum())
        start = time.perf_counter()
        emd_c(a, b, C, 10**6, 1)
        seconds += time.perf_counter() - start
    return seconds


def ours(measures, pairs, n_jobs, **settings):
    """Solve by this package."""
    return pairwise_wasserstein(
        measures,
        pairs=pairs,
        n_jobs=n_jobs,
        chunk_size=max(1, len(pairs) // 16),
        **settings,
    )


def seconds_of(function, *args, **settings):
    """Return the time that a call takes and its answer."""
    start = time.perf_counter()
    answer = function(*args, **settings)
    return time.perf_counter() - start, answer


def run(name, measures, n_rounds, backends):
    """Print the table of one data set."""
    pairs = sample_pairs(len(measures), SIZES[name], np.random.RandomState(0))
    few = pairs[: max(4, len(pairs) // 6)]
    rates = {}

    def add(row, n_pairs, seconds):
        rates.setdefault(row, []).append(n_pairs / seconds)

    for _ in range(n_rounds):
        if name != "modelnet":
            seconds, _ = seconds_of(dense_loop, measures, few)
            add("dense loop", len(few), seconds)
        seconds, plain = seconds_of(support_loop, measures, pairs)
        add("support loop", len(pairs), seconds)
        add("dense solver", len(pairs), solver_seconds(measures, pairs))
        for n_jobs in (1, 2):
            seconds, W = seconds_of(ours, measures, pairs, n_jobs)
            add(f"ours, {n_jobs} job{'s' * (n_jobs > 1)}", len(pairs), seconds)
        for backend in backends:
            with joblib.parallel_config(backend=backend, n_jobs=2):
                seconds, same = seconds_of(ours, measures, pairs, None)
            add(f"ours, {backend}", len(pairs), seconds)
            if not np.array_equal(W, same):
                raise ValueError(f"Got other bits from {backend}, expected the same.")
    gap = np.abs(W**2 / plain - 1).max()
    print(f"\n{name}: {len(pairs)} pairs, {n_rounds} rounds, largest gap {gap:.1e}")
    print(f"{'':14}{'pairs/s':>10}{'/ dense':>10}{'/ support':>10}{'/ solver':>10}")
    medians = {row: float(np.median(values)) for row, values in rates.items()}
    for row, rate in medians.items():
        ratios = [
            f"{rate / medians[base]:10.2f}" if base in medians else f"{'':>10}"
            for base in ("dense loop", "support loop", "dense solver")
        ]
        print(f"{row:14}{rate:10.1f}{''.join(ratios)}")


def compare_regularisations(measures):
    """Print error and time of Sinkhorn divergences beside exact distances."""
    pairs = sample_pairs(len(measures), 256, np.random.RandomState(1))
    start, exact = seconds_of(ours, measures, pairs, 1)
    print(f"\nSinkhorn on the grid, 256 MNIST pairs (exact: {256 / start:.0f} pairs/s)")
    for reg in (0.1, 0.01, 0.001):
        truth = SinkhornDivergence(reg=reg, tol=1e-4, max_iter=20_000)
        seconds, W = seconds_of(ours, measures, pairs, 1, ground_truth=truth)
        error = np.abs(W / exact - 1).mean()
        print(
            f"reg={reg}: {256 / seconds:.0f} pairs/s, mean relative error {error:.4f}"
        )


def check_published(folder):
    """Print the largest gap to the distances that the authors of DWE published."""
    with np.load(folder / "dwe_cat.npz") as arrays:
        X = arrays["X"].reshape(len(arrays["X"]), -1)
        pairs, D = np.column_stack([arrays["i"], arrays["j"]]), arrays["D"]
    W = pairwise_wasserstein(
        X, pairs=pairs, grid_shape=(28, 28), ground_truth=ExactWasserstein()
    )
    gap = np.abs(W**2 / D - 1).max()
    print(f"dwe_cat: {len(D)} published distances, largest relative gap {gap:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--datasets", nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-dask", action="store_true")
    args = parser.parse_args()
    if (args.data / "dwe_cat.npz").exists():
        check_published(args.data)
    client, backends = None, ["loky"]
    if not args.no_dask:
        from dask.distributed import Client

        client = Client(n_workers=2, threads_per_worker=1, dashboard_address=":0")
        backends.append("dask")
    digits = np.eye(4)
    for backend in backends:  # workers import torch once
        with joblib.parallel_config(backend=backend, n_jobs=2):
            pairwise_wasserstein(digits, chunk_size=1)
    with threadpoolctl.threadpool_limits(1):
        for name in args.datasets:
            run(name, load(args.data, name), args.rounds, backends)
        compare_regularisations(load(args.data, "mnist"))
    if client is not None:
        client.close()


if __name__ == "__main__":
    main()
