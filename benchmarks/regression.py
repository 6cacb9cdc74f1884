"""Few labels: regression on sliced distances, means, and formulas, on cell niches.

    python benchmarks/regression.py --data DIR

`DIR` holds `niche_merfish.npz`; niches are 11 cells within 50 micrometres. After
Nguyen, Nguyen, Ho (2026), "Fast estimation of Wasserstein distances via regression on
sliced Wasserstein distances": labels are those of all pairs of 10, 50, 100 or 200
clouds, of the left half of the tissue, and the same for all; judged are pairs of niches
of the right half, none of which shares a cell with the left. Prints one table.
"""

import argparse
from functools import partial

import numpy as np
from dwe_mnist import timed
from private_axis import niches
from sklearn.metrics import r2_score

from skwass import (
    LinearOTEmbedder,
    PseudobulkEmbedder,
    SlicedRegressionEmbedder,
    SlicedWassersteinEmbedder,
)
from skwass.measures import as_measures
from skwass.ot import pairwise_wasserstein, sample_pairs

ROWS = {
    "RG": SlicedRegressionEmbedder,
    "RG, constrained": partial(SlicedRegressionEmbedder, constrained=True),
    "RG, best lines": partial(SlicedRegressionEmbedder, predictors="best"),
    "pseudobulk": PseudobulkEmbedder,
    "pseudobulk, scaled": partial(PseudobulkEmbedder, scale=True),
    "sliced, scaled": partial(SlicedWassersteinEmbedder, scale=True),
    "linear OT, 64 columns": partial(LinearOTEmbedder, 64),
    "linear OT": LinearOTEmbedder,
}


def rg_protocol(train, test, sizes=(10, 50, 100, 200), n_pairs=10_000, seeds=(0,)):
    """Yield rows: name, clouds, seed, R2, correlation, seconds of fit, us a pair.

    Parameters
    ----------
    train, test : array or list of clouds
        To draw training clouds from, and to judge by.
    sizes : sequence of int
        How many training clouds; all of their pairs are labelled.
    n_pairs : int
        Pairs that are judged.
    seeds : sequence of int
        Of training clouds and embedders.
    """
    test = as_measures(test)
    pairs = sample_pairs(len(test), n_pairs, 0)
    w = pairwise_wasserstein(test, pairs=pairs)
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(train))
        known = [train[k] for k in order[: max(sizes)]]
        W = pairwise_wasserstein(known)
        for size in sizes:
            labelled = np.column_stack(np.triu_indices(size, k=1))
            labels = {"pairs": labelled, "distances": W[tuple(labelled.T)]}
            for name, kind in ROWS.items():
                embedder, given = kind(random_state=seed), labels
                if name == "pseudobulk":
                    given = {}  # nothing is fitted
                if getattr(embedder, "n_components", None) is not None:
                    # Few clouds have no more columns.
                    embedder.set_params(n_components=min(64, size - 1))
                _, seconds = timed(embedder.fit, known[:size], **given)
                d, asked = timed(
                    embedder._paired_distances, embedder._represent(test), pairs
                )
                yield (
                    name,
                    size,
                    seed,
                    r2_score(w, d),
                    np.corrcoef(d, w)[0, 1],
                    seconds,
                    1e6 * asked / n_pairs,
                )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz file")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 50, 100, 200])
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    found: dict = {}
    for name, size, _, *row in rg_protocol(
        *niches(args.data), args.sizes, args.pairs, args.seeds
    ):
        found.setdefault(name, {}).setdefault(size, []).append(row)
    print("R2 (correlation) of W of unseen pairs, means over seeds\n")
    heads = [f"{size} clouds" for size in args.sizes]
    print("| | " + " | ".join([*heads, "fit, s", "us a pair"]) + " |")
    print("|---" * (len(args.sizes) + 3) + "|")
    for name, by_size in found.items():
        means = [np.mean(by_size[size], axis=0) for size in args.sizes]
        cells = [f"{r2:.4f} ({correlation:.4f})" for r2, correlation, *_ in means]
        _, _, seconds, per_pair = means[-1]
        print(
            f"| {name} | " + " | ".join(cells) + f" | {seconds:.1f} | {per_pair:.1f} |"
        )


if __name__ == "__main__":
    main()
