"""With and without a private axis: errors, bias by size, and neighbours.

    python benchmarks/private_axis.py --data DIR --dataset mnist --labels 20000
    python benchmarks/private_axis.py --data DIR --dataset niches --embedder linear_ot

`DIR` as for `wormhole.py`, and `niche_merfish.npz` (`X`: cells by genes, `xy`),
`patients_covid.npz` (`pca`, `patient`). Digits are those of scikit-learn.

Judged on measures that `fit` never saw: test images and shapes; niches of the right
half of the tissue, learned from the left; samples of patients that were held out. Each
row is one seed; labels and maps of a seed are solved once, for both settings, and
`--given` reads those of `<dataset>_train_pairs.npz`, which have no derivatives.

Bias is the mean error of W, relative, of each tenth of the pairs, the first with the
smallest W; recall is that of the ten exact neighbours of 40 queries among 2,000 (fewer
where a solve is expensive), by `embedded_distances` and by Euclidean distances of rows.
"""

import argparse
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from dwe_mnist import timed
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.metrics import r2_score
from wormhole import load

from skwass import (
    DeepWassersteinEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    WormholeEmbedder,
)
from skwass.measures import as_measures
from skwass.ot import pairwise_wasserstein, sample_pairs

EMBEDDERS = {
    "wormhole": WormholeEmbedder,
    "deep": DeepWassersteinEmbedder,
    "linear_ot": LinearOTEmbedder,
    "sliced": SlicedWassersteinEmbedder,
}
DATASETS = ("digits", "mnist", "fashion", "modelnet", "niches", "patients")
# Pairs that are judged, queries, measures among which these have neighbours, and how
# many of them.
N_TEST = {"fashion": (3_000, 20, 1_000), "modelnet": (1_000, 10, 400)}
N_TEST_DEFAULT, N_NEIGHBORS = (5_000, 40, 2_000), 10
# Cells of a niche, and micrometres within which they are.
NICHE_SIZE, NICHE_RADIUS = 11, 50.0
N_HELD_OUT_PATIENTS = 4


def niches(folder):
    """Return niches of the left half of the tissue, and of the right."""
    with np.load(Path(folder) / "niche_merfish.npz") as arrays:
        X, xy = arrays["X"].astype(np.float64), arrays["xy"]
    low, high = X.min(axis=0), X.max(axis=0)
    X = (2 * (X - low) / (high - low) - 1) / np.sqrt(X.shape[1])
    reach, near = cKDTree(xy).query(xy, NICHE_SIZE + 1)
    is_left = xy[:, 0] < np.median(xy[:, 0])
    halves = []
    for half in (is_left, ~is_left):
        # Whole niches of one half only: none shares a cell with the other.
        inside = half & half[near].all(axis=1) & (reach[:, -1] < NICHE_RADIUS)
        halves.append(X[near[inside, 1:]])
    return halves


def patients(folder):
    """Return samples of the cells of some patients, and of others."""
    with np.load(Path(folder) / "patients_covid.npz") as arrays:
        cells, patient = arrays["pca"].astype(np.float64), arrays["patient"]
    rng = np.random.default_rng(0)
    held_out = rng.permutation(np.unique(patient))[:N_HELD_OUT_PATIENTS]

    def samples(names, n):
        drawn = rng.choice(names, n)
        members = [np.flatnonzero(patient == name) for name in drawn]
        return [cells[rng.choice(k, rng.integers(20, 71), False)] for k in members]

    others = np.setdiff1d(patient, held_out)
    return [samples(others, 2_000), samples(np.sort(held_out), 600)]


def measures_of(folder, dataset):
    """Return training and test measures, and parameters of the data."""
    if dataset == "digits":
        X = load_digits().data
        return X[:1_000], X[1_000:], {"grid_shape": (8, 8)}
    if dataset == "niches":
        return *niches(folder), {}
    if dataset == "patients":
        return *patients(folder), {}
    train, test, _, _, options = load(folder, dataset)
    return train, test, options


def given_labels(folder, dataset, n_labels):
    """Return labels for `fit` from a file: pairs, and their distances."""
    with np.load(Path(folder) / f"{dataset}_train_pairs.npz") as arrays:
        pairs = np.column_stack([arrays["i"], arrays["j"]])[:n_labels]
        return {"pairs": pairs, "distances": np.sqrt(arrays["w2_sq"][:n_labels])}


class Truth:
    """Exact distances of test measures, and exact neighbours of some."""

    def __init__(self, dataset, test, options, n_jobs):
        rng = np.random.default_rng(0)
        n_pairs, n_queries, n_stored = N_TEST.get(dataset, N_TEST_DEFAULT)
        self.measures = as_measures(test, **options)
        n = len(self.measures)
        self.pairs = sample_pairs(n, min(n_pairs, n * (n - 1) // 2), 0)
        self.w = pairwise_wasserstein(self.measures, pairs=self.pairs, n_jobs=n_jobs)
        order = rng.permutation(n)
        self.stored = order[n_queries:][:n_stored]
        self.queries = order[:n_queries]
        W = pairwise_wasserstein(
            self.measures[self.queries], self.measures[self.stored], n_jobs=n_jobs
        )
        self.nearest = np.argsort(W, axis=1)[:, :N_NEIGHBORS]

    def judge(self, embedder):
        """Return errors of an embedder, bias by decile of W in percent, and recall."""
        Z = embedder.transform(self.measures)
        D = embedder.embedded_distances(Z[self.queries], Z[self.stored])
        return self.report(embedder._paired_distances(Z, self.pairs), D, Z)

    def report(self, d, D, Z):
        """Return the same of distances of pairs, of queries to stored, and rows."""
        w, rows = self.w, cdist(Z[self.queries], Z[self.stored])
        relative = 100 * (d - w) / w
        deciles = np.array_split(np.argsort(w), 10)
        return {
            "MSE of W2^2": np.mean((d**2 - w**2) ** 2),
            "error, %": np.mean(np.abs(relative)),
            "corr": np.corrcoef(d, w)[0, 1],
            "R2": r2_score(w, d),
            "recall": self.recall(D),
            "of rows": self.recall(rows),
            "bias": [relative[rows].mean() for rows in deciles],
        }

    def recall(self, D):
        """Return which part of the exact neighbours are nearest by other distances."""
        found = np.argsort(D, axis=1)[:, :N_NEIGHBORS]
        hits = [
            len(np.intersect1d(a, b)) for a, b in zip(found, self.nearest, strict=True)
        ]
        return np.mean(hits) / N_NEIGHBORS


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--dataset", choices=DATASETS, default="mnist")
    parser.add_argument("--embedder", choices=EMBEDDERS, default="wormhole")
    parser.add_argument("--labels", type=int, nargs="+", default=[20_000])
    parser.add_argument("--given", action="store_true", help="labels from a file")
    parser.add_argument("--maps", type=int, default=0)
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--axis", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    train, test, options = measures_of(args.data, args.dataset)
    truth = Truth(args.dataset, test, options, args.n_jobs)
    print(
        f"{args.dataset}, {args.embedder}: {len(train)} measures, {len(test)} unseen\n"
        f"{'labels':>8}{'seed':>5}{'axis':>5}{'fit, s':>8}{'MSE of W2^2':>13}"
        f"{'error, %':>9}{'corr':>9}{'R2':>8}{'recall':>8}"
        f"{'of rows':>8}   bias by decile of W, %"
    )
    for n_labels, seed in product(args.labels, args.seeds):
        how = {"n_jobs": args.n_jobs, "random_state": seed, **options}
        if args.embedder in ("linear_ot", "wormhole", "deep"):
            how["n_components"] = args.components
        if args.embedder in ("wormhole", "deep"):
            how |= {"n_maps": args.maps}
        given = {}
        if args.given:
            given = given_labels(args.data, args.dataset, n_labels)
        elif args.embedder in ("wormhole", "deep"):
            how |= {"n_pairs": n_labels}
        elif args.embedder == "sliced":
            how |= {"scale": True}
        with TemporaryDirectory() as cache:
            for axis in args.axis:
                kind = EMBEDDERS[args.embedder]
                embedder = kind(private_axis=bool(axis), memory=cache, **how)
                _, seconds = timed(embedder.fit, train, **given)
                row = truth.judge(embedder)
                bias = " ".join(f"{value:+.1f}" for value in row["bias"])
                print(
                    f"{n_labels:8,}{seed:5}{axis:5}{seconds:8.0f}"
                    f"{row['MSE of W2^2']:13.4g}{row['error, %']:9.2f}"
                    f"{row['corr']:9.5f}{row['R2']:8.4f}{row['recall']:8.3f}"
                    f"{row['of rows']:8.3f}   {bias}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
