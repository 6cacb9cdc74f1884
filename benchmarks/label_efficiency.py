"""Test error against exact solves and total time, with and without maps.

    python benchmarks/label_efficiency.py --data DIR
    python benchmarks/label_efficiency.py --data DIR --embedder deep --maps 0 20000

`DIR` holds `mnist_train.npz`, `mnist_test.npz` (`X`, `y`) and, if there are any,
`mnist_test_pairs.npz` (`i`, `j`, `w2_sq`: exact squared W2). Pairs and maps are solved
in `fit`: what it takes is the user's whole bill. Linear OT itself stands below.
"""

import argparse
from itertools import product

import numpy as np
from dwe_mnist import timed
from wormhole import load, test_labels

from skwass import (
    DeepWassersteinEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    WormholeEmbedder,
)

EMBEDDERS = {
    "deep": DeepWassersteinEmbedder,
    "kuratowski": KuratowskiEmbedder,
    "wormhole": WormholeEmbedder,
}


def judge(embedder, train, test, pairs, W):
    """Fit, and return what it took and how good it is."""
    _, fit = timed(embedder.fit, train)
    Z, seconds = timed(embedder.transform, test)
    d = embedder._paired_distances(Z, pairs)
    return {
        "solves": embedder.n_solves_,
        "fit, s": fit,
        "MSE of W2^2": np.mean((d**2 - W**2) ** 2),
        "corr of W": np.corrcoef(d, W)[0, 1],
        "images/s": len(test) / seconds,
    }


def show(name, pairs, maps, weight, row):
    print(
        f"{name:12}{pairs:>9,}{maps:>9,}{weight:>7}"
        f"{row['solves']:>10,}{row['fit, s']:>9.0f}"
        f"{row['MSE of W2^2']:>13.4f}{row['corr of W']:>11.5f}"
        f"{row['images/s']:>10,.0f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--embedder", choices=EMBEDDERS, nargs="+", default=EMBEDDERS)
    parser.add_argument("--pairs", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--maps", type=int, nargs="+", default=[0, 20_000])
    parser.add_argument("--gradients", type=float, nargs="+", default=[0.0, 0.3])
    parser.add_argument("--max-iter", type=int, default=20)
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()
    train, test, _, _, options = load(args.data, "mnist")
    args.dataset, args.gromov = "mnist", False
    pairs, W = test_labels(args, test, options)
    common = {**options, "random_state": 0, "n_jobs": args.n_jobs}
    heads = ("pairs", 9), ("maps", 9), ("slopes", 7), ("solves", 10), ("fit, s", 9)
    heads += ("MSE of W2^2", 13), ("corr of W", 11), ("images/s", 10)
    print(f"{'':12}" + "".join(f"{head:>{width}}" for head, width in heads))
    for name in args.embedder:
        for n_pairs in args.pairs:
            for n_maps, weight in product(args.maps, args.gradients):
                embedder = EMBEDDERS[name](
                    n_pairs=n_pairs,
                    n_maps=n_maps,
                    gradient_weight=weight,
                    max_iter=args.max_iter,
                    **common,
                )
                row = judge(embedder, train, test, pairs, W)
                show(name, n_pairs, n_maps, weight, row)
    linear = LinearOTEmbedder(**common)
    show("linear OT", 500, 0, 0, judge(linear, train, test, pairs, W))


if __name__ == "__main__":
    main()
