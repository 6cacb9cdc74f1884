"""Big clouds, thinned: time against the error that is certain and the true one.

    python benchmarks/thinning.py --data DIR

`DIR` holds `patients_covid.npz` (`pca`, `patient`): all cells of each patient, in 50
dimensions. The other clouds are mixtures of eight Gaussians with weights of their own.

Two ways: a tolerance (a share of the median W), as `pairwise_wasserstein` takes it, and
a number of points, as `wasserstein_interval` does, whose W is the middle of its
interval. Certain is the tolerance, or half of the widest interval; both errors are the
largest of all pairs, in percent of the median W. Points are those that are left at
first, on average: where these are too few for a tolerance a pair is tried with a
quarter of all, then solved whole, which is counted. All on one thread; the speed-up is
that of pairs, and leaves out thinning, which is done once per cloud.
"""

import argparse
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from skwass.measures import as_measures
from skwass.measures.thinning import thin
from skwass.ot import ExactWasserstein
from skwass.ot._certified import Certified, Coarse

MIXTURES = [(3, 1_000), (3, 5_000), (20, 1_000), (20, 5_000), (50, 1_000), (50, 5_000)]
TOLERANCES = (0.05, 0.1, 0.2)
N_POINTS = (64, 256, 1_024)
COLUMNS = (
    "clouds",
    "asked for",
    "points",
    "s thinning a cloud",
    "s a pair",
    "speed-up",
    "pairs solved whole",
    "certain %",
    "true %",
)


def mixtures(dim, n, n_clouds):
    rng = np.random.default_rng(0)
    centers = 3 * rng.normal(size=(8, dim))
    spread = np.linspace(2, 0.3, dim)
    clouds = []
    for _ in range(n_clouds):
        kinds = rng.choice(8, n, p=rng.dirichlet(np.ones(8)))
        shift = 0.3 * rng.normal(size=dim)
        clouds.append(centers[kinds] + spread * rng.normal(size=(n, dim)) + shift)
    return clouds


def patients(folder):
    with np.load(Path(folder) / "patients_covid.npz") as arrays:
        cells, patient = arrays["pca"].astype(np.float64), arrays["patient"]
    return [cells[patient == name] for name in np.unique(patient)]


def timed(function, *arguments, **settings):
    start = perf_counter()
    answer = function(*arguments, **settings)
    return answer, perf_counter() - start


def rows(name, clouds):
    """Yield the rows of one collection."""
    measures, exact = as_measures(clouds), ExactWasserstein(max_iter=10**8)
    pairs = np.column_stack(np.triu_indices(len(clouds), 1))
    labels, seconds = timed(exact.label, measures, measures, pairs)
    w, seconds = labels.w, seconds / len(pairs)
    scale = np.median(w)
    yield name, "exact", len(clouds[0]), 0, seconds, 1, "", 0, 0
    asked = [
        (f"{share:.0%} of W", Certified(exact, share * scale), None)
        for share in TOLERANCES
    ]
    asked += [(f"{n} points", Certified(exact), partial(thin, n_points=n))
              for n in N_POINTS if n < len(clouds[0])]  # fmt: skip
    for title, truth, make in asked:
        makers = [make] if make else truth.makers()
        coarse = Coarse(measures, *makers)
        found, thinning = timed(lambda c: list(map(c.thinned, range(len(c)))), coarse)
        labels, own = timed(truth._label, coarse, coarse, pairs, gradients=False)
        own /= len(pairs)
        if make is None:
            value, certain = labels.w, truth.tolerance
        else:
            value = (labels.w + labels.low) / 2
            certain = (labels.w - labels.low).max() / 2
        whole = np.count_nonzero(np.abs(value - w) <= 1e-9 * w)
        yield (
            name,
            title,
            int(np.mean([len(each.points) for each in found])),
            thinning / len(clouds),
            own,
            seconds / own,
            f"{whole} of {len(pairs)}",
            100 * certain / scale,
            100 * np.abs(value - w).max() / scale,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    folder = parser.parse_args().data
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for dim, n in MIXTURES:
        show(rows(f"{n:,} points in {dim}-d", mixtures(dim, n, 4 if n < 5_000 else 3)))
    show(rows("14 patients of 500 cells, 50-d", patients(folder)))


def show(table):
    for name, title, points, thinning, own, ratio, whole, certain, true in table:
        print(
            f"| {name} | {title} | {points:,} | {thinning:.2f} | {own:.3f} | "
            f"{ratio:.1f} | {whole} | {certain:.1f} | {true:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
