"""Test error against exact solves and total time, by what a network is told.

    python benchmarks/label_efficiency.py --data DIR
    python benchmarks/label_efficiency.py --data DIR --embedder deep --figure FILE
    python benchmarks/label_efficiency.py --data DIR --dataset modelnet \
        --embedder wormhole --signals maps --pairs 5000 --maps 4000 --max-iter 60

`DIR` holds `mnist_train.npz`, `mnist_test.npz` or `fashion_train.npz`,
`fashion_test.npz` (`X`, `y`), or `modelnet.npz` (`points`, `y`, `is_test`), and, if
there are any, `<dataset>_test_pairs.npz` (`i`, `j`, `w2_sq`: exact squared W2). Pairs
and maps are solved in `fit`: what it takes is the user's whole bill.

Signals: `numbers`, distances alone, of networks that see masses or Fourier
coefficients; `slices`, of networks that see quantile functions, with the exact mean;
`slopes`, derivatives beside; `maps`, of linear OT, before the pairs and without slopes.
Linear OT itself stands below.
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
from skwass.architectures import ODEKENN

# By name: the class, and what its network is without slices.
EMBEDDERS = {
    "deep": (DeepWassersteinEmbedder, {"architecture": "dense"}),
    "kuratowski": (KuratowskiEmbedder, {"architecture": ODEKENN("dense")}),
    "wormhole": (WormholeEmbedder, {"architecture": "fourier"}),
}
SIGNALS = ("numbers", "slices", "slopes", "maps")


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
        "a second": len(test) / seconds,
    }


def parameters_of(signal, plain, n_maps):
    """Return what makes an embedder learn from a signal."""
    parameters = dict(plain) if signal == "numbers" else {}
    if signal == "maps":
        return {"n_maps": n_maps}
    return {**parameters, "gradient_weight": 0.3 if signal == "slopes" else 0.0}


def show(name, signal, pairs, row):
    """Print a line of the table."""
    print(
        f"{name:12}{signal:>9}{pairs:>9,}"
        f"{row['solves']:>10,}{row['fit, s']:>9.0f}"
        f"{row['MSE of W2^2']:>13.4g}{row['corr of W']:>11.5f}"
        f"{row['a second']:>10,.0f}",
        flush=True,
    )


def draw(rows, linear, path):
    """Draw errors by solves, one panel an embedder."""
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(name for name, *_ in rows))
    fig, axes = plt.subplots(
        1,
        len(names),
        figsize=(4.5 * len(names), 4),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    for ax, name in zip(axes[0], names, strict=True):
        for signal in SIGNALS:
            points = [row for n, s, row in rows if (n, s) == (name, signal)]
            if points:
                solves, errors = zip(
                    *((row["solves"], row["MSE of W2^2"]) for row in points),
                    strict=True,
                )
                ax.loglog(solves, errors, "o-", label=signal)
        ax.axhline(
            linear["MSE of W2^2"], color="0.5", linestyle="--", label="linear OT"
        )
        ax.xaxis.set_minor_formatter("")
        ax.set_title(name)
        ax.set_xlabel("exact solves")
        ax.legend()
    axes[0, 0].set_ylabel("mean squared error of $W_2^2$")
    fig.savefig(path)


def main():
    """Print the table, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    datasets = ("mnist", "fashion", "modelnet")
    parser.add_argument("--dataset", choices=datasets, default="mnist")
    parser.add_argument("--embedder", choices=EMBEDDERS, nargs="+", default=EMBEDDERS)
    parser.add_argument("--signals", choices=SIGNALS, nargs="+", default=SIGNALS)
    parser.add_argument(
        "--pairs", type=int, nargs="+", default=[1_000, 5_000, 20_000, 200_000]
    )
    parser.add_argument("--maps", type=int, default=20_000)
    parser.add_argument("--max-iter", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--figure", default=None, help="file to draw to")
    args = parser.parse_args()
    train, test, _, _, options = load(args.data, args.dataset)
    args.gromov = False
    pairs, W = test_labels(args, test, options)
    common = {**options, "random_state": args.seed, "n_jobs": args.n_jobs}
    heads = ("signal", 9), ("pairs", 9), ("solves", 10), ("fit, s", 9)
    heads += ("MSE of W2^2", 13), ("corr of W", 11), ("a second", 10)
    print(f"{'':12}" + "".join(f"{head:>{width}}" for head, width in heads))
    rows = []
    for name, signal, n_pairs in product(args.embedder, args.signals, args.pairs):
        kind, plain = EMBEDDERS[name]
        embedder = kind(
            n_pairs=n_pairs,
            max_iter=args.max_iter or "auto",
            **parameters_of(signal, plain, args.maps),
            **common,
        )
        rows.append((name, signal, judge(embedder, train, test, pairs, W)))
        show(name, signal, n_pairs, rows[-1][2])
    linear = judge(LinearOTEmbedder(**common), train, test, pairs, W)
    show("linear OT", "", 500, linear)
    if args.figure is not None:
        draw(rows, linear, args.figure)


if __name__ == "__main__":
    main()
