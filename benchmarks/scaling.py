"""Time of public calls against the number of measures and against the dimension.

    python benchmarks/scaling.py [--most 100000] [--seconds 20]

The exponent is the slope of a line through logarithms of the last three points. A call
is not tried at a larger size once it has taken more than the limit.
"""

import argparse
import time
import warnings

import numpy as np

from skwass import (
    DiffusionEMDEmbedder,
    GaussianEmbedder,
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
)
from skwass.measures import as_measures, clouds_from_groups, thin_clouds
from skwass.ot import pairwise_wasserstein
from skwass.ot.bounds import lower_bound

EMBEDDERS = {
    "SlicedWasserstein": lambda: SlicedWassersteinEmbedder(random_state=0),
    "LinearOT": lambda: LinearOTEmbedder(n_reference=16, random_state=0),
    "Gaussian": lambda: GaussianEmbedder(random_state=0),
    "DiffusionEMD": lambda: DiffusionEMDEmbedder(n_nodes=50, random_state=0),
    "Pseudobulk": lambda: PseudobulkEmbedder(random_state=0),
    "SlicedRegression": lambda: SlicedRegressionEmbedder(random_state=0),
}


def clouds_of(n, dim, size=5):
    """Return clouds of a few points."""
    return list(np.random.default_rng(0).normal(size=(n, size, dim)))


def calls():
    """Return what is timed: functions of clouds, by name."""
    found = {
        "as_measures": as_measures,
        "clouds_from_groups": lambda X: clouds_from_groups(
            np.concatenate(X), np.repeat(np.arange(len(X)), len(X[0]))
        ),
        "thin_clouds": lambda X: thin_clouds(X, 3),
        "lower_bound, 400 pairs": lambda X: lower_bound(X, pairs=some_pairs(X)),
        "pairwise_wasserstein, 400 pairs": lambda X: pairwise_wasserstein(
            X, pairs=some_pairs(X)
        ),
    }
    for name, make in EMBEDDERS.items():
        found[f"{name}.fit"] = lambda X, make=make: make().fit(X)
        found[f"{name}.transform"] = Timed(make, lambda one, X: one.transform(X))
        found[f"{name}.score"] = Timed(make, lambda one, X: one.score(X))
    return found


class Timed:
    """A call of an embedder that is fitted to some of the clouds before."""

    def __init__(self, make, call):
        self.make, self.call = make, call

    def prepared(self, X):
        """Return the call, after the fit."""
        one = self.make().fit(X[:200])
        return lambda X: self.call(one, X)


def some_pairs(X):
    """Return 400 pairs."""
    return np.random.default_rng(0).integers(0, len(X), (400, 2))


def seconds(call, X):
    """Return how long a call takes."""
    if isinstance(call, Timed):
        call = call.prepared(X)
    start = time.process_time()
    call(X)
    return time.process_time() - start


def row(call, sizes, make, limit):
    """Return times at sizes, and the exponent."""
    times = []
    for size in sizes:
        if times and not times[-1] <= limit:  # NaN, too
            times.append(np.nan)
            continue
        X = make(size)
        try:
            times.append(seconds(call, X))
        except (TypeError, ValueError) as error:
            return [np.nan] * len(sizes), str(error)[:60]
    known = np.isfinite(times)
    last = np.flatnonzero(known)[-3:]
    slope = np.polyfit(np.log(np.array(sizes)[last]), np.log(np.array(times)[last]), 1)
    return times, f"{slope[0]:.2f}"


def main():
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    numbers = [n for n in (1_000, 3_000, 10_000, 30_000, 100_000) if n <= args.most]
    tables = {
        "N": (numbers, lambda n: clouds_of(n, 3)),
        "d": ([3, 10, 30, 100, 300, 1_000], lambda d: clouds_of(300, d, 20)),
    }
    for what, (sizes, make) in tables.items():
        print(f"\n| {what} |", " | ".join(map(str, sizes)), "| exponent |")
        print("|---" * (len(sizes) + 2) + "|")
        for name, call in calls().items():
            times, slope = row(call, sizes, make, args.seconds)
            cells = [f"{t:.3f}" if np.isfinite(t) else "-" for t in times]
            print(f"| {name} |", " | ".join(cells), f"| {slope} |", flush=True)


if __name__ == "__main__":
    main()
