"""Kuratowski networks on MNIST: the paper's protocol, the honest one, and at scale.

    python benchmarks/kuratowski_mnist.py --data DIR
    python benchmarks/kuratowski_mnist.py --data DIR --labels 200000

`DIR` holds `mnist_train.npz` and `mnist_test.npz` (`X`, `y`) and, if there are any,
`mnist_train_pairs.npz` and `mnist_test_pairs.npz` (`i`, `j`, `w2_sq`: exact squared W2
in pixels). Pairs that are not there are drawn and labelled.

The paper's protocol: one pool of images, and of all its pairs a tenth for testing, a
tenth set aside, the rest for training, so that each image of a test pair has been seen
in some 190 other pairs. The honest one: the same networks on pairs of images that
were never seen. With `--labels`, training is on so many pairs of 60,000 images instead.
"""

import argparse
import time

import numpy as np
import torch
from dwe_mnist import GRID, N_TEST_PAIRS, labelled_pairs, timed
from sklearn.base import clone

from skwass import KuratowskiEmbedder
from skwass.architectures import ODEKENN, Convolutional, DeepKENN, Dense
from skwass.datasets import fetch_mnist
from skwass.nn.ode import SPEED
from skwass.ot import pairwise_wasserstein

N_POOL_TEST = 2_750


class UnscaledODE(KuratowskiEmbedder):
    """ODE-KENN that starts as layers start by default: small states, slow fields."""

    def _module(self, measures, plan, labelled, generator):
        module = super()._module(measures, plan, labelled, generator)
        curve = module.encoder.features
        curve.lift_scale.fill_(1.0)
        for parameter in curve.field.layers[-1].parameters():
            parameter.data /= SPEED
        rows, _ = module.split(module.inputs.rows(measures, torch.device("cpu")))
        with torch.no_grad():
            module.encoder.weights.calibrate(curve(rows))
        return module


DENSE, DENSE_LIFT = Dense(widths=(512, 512)), Dense(widths=())
OF_CONVOLUTIONS = Convolutional(channels=(16, 32), widths=(128,))
LIFTED = Convolutional(channels=(16, 32), widths=())
# Name in the table, class, architecture.
ROWS = [
    ("last layer, conv", KuratowskiEmbedder, DeepKENN(OF_CONVOLUTIONS, layers="last")),
    ("deep, conv", KuratowskiEmbedder, DeepKENN(OF_CONVOLUTIONS)),
    ("ode, conv", KuratowskiEmbedder, ODEKENN(LIFTED, widths=(128,))),
    ("last layer, dense", KuratowskiEmbedder, DeepKENN(DENSE, layers="last")),
    ("deep, dense", KuratowskiEmbedder, DeepKENN(DENSE)),
    ("ode, dense", KuratowskiEmbedder, ODEKENN(DENSE_LIFT)),
    ("ode C1, conv", KuratowskiEmbedder, ODEKENN(LIFTED, widths=(128,), velocity=True)),
    ("ode C1, dense", KuratowskiEmbedder, ODEKENN(DENSE_LIFT, velocity=True)),
    ("ode, dense, unscaled", UnscaledODE, ODEKENN(DENSE_LIFT)),
    ("linear map", KuratowskiEmbedder, DeepKENN(DENSE_LIFT, layers="last")),
]
ARCHITECTURES = {
    "last": DeepKENN(layers="last"),
    "deep": DeepKENN(),
    "ode": ODEKENN(),
}


def predict(embedder, X, pairs):
    """Return the distances of some pairs, in float64."""
    return embedder._paired_distances(embedder.transform(X), pairs)


def pool_run(embedder, X, pairs, W, unseen, seed):
    """Fit on one split of the pairs of a pool; return what a row of the table holds."""
    order = np.random.RandomState(seed).permutation(len(pairs))
    test, train = order[:N_POOL_TEST], order[2 * N_POOL_TEST :]
    embedder = clone(embedder).set_params(random_state=seed)
    _, seconds = timed(embedder.fit, X, pairs=pairs[train], distances=W[train])
    errors = (predict(embedder, X, pairs) - W) ** 2
    X_unseen, unseen_pairs, unseen_W = unseen
    predicted = predict(embedder, X_unseen, unseen_pairs)
    return [
        errors[train].mean(),
        errors[test].mean(),
        errors[test].mean() - errors[train].mean(),
        np.mean((predicted - unseen_W) ** 2),
        np.corrcoef(predicted, unseen_W)[0, 1],
        embedder.n_parameters_,
        seconds,
    ]


def pool_table(args, X, unseen):
    """Print the paper's protocol and the honest one, mean and deviation of seeds."""
    X = X[: args.pool]
    pairs = np.column_stack(np.triu_indices(len(X), k=1))
    W = pairwise_wasserstein(X, pairs=pairs, grid_shape=GRID, n_jobs=args.n_jobs)
    print(f"{len(X)} images, {len(pairs):,} pairs; MSE of W2 in pixels^2, times 1000")
    print(f"aggregation {args.aggregation}, {args.seeds} seeds, mean (deviation)")
    names = ("train", "test", "gap", "unseen", "corr", "weights", "s")
    print(f"{'':20}" + "".join(f"{name:>16}" for name in names))
    for title, embedder, architecture in ROWS:
        if args.rows not in title:
            continue
        is_linear = title == "linear map"
        architecture = clone(architecture).set_params(
            aggregation=args.aggregation,
            n_parameters=None if is_linear else args.n_parameters,
        )
        settings = {
            "architecture": architecture,
            "n_components": 64 if is_linear else 48,
            "grid_shape": GRID,
            "batch_size": 1024,
            "max_iter": args.max_iter or 100,
            "learning_rate": 2e-3,
            "weight_decay": 0.0,
            "early_stopping": False,
        }
        unfitted = embedder(**settings)
        runs = np.array(
            [
                pool_run(unfitted, X, pairs, W, unseen, seed)
                for seed in range(args.seeds)
            ]
        )
        mean, deviation = runs.mean(axis=0), runs.std(axis=0)
        cells = [f"{1e3 * mean[k]:.2f} ({1e3 * deviation[k]:.2f})" for k in range(4)]
        cells += [f"{mean[4]:.4f}", f"{mean[5]:,.0f}", f"{mean[6]:.0f}"]
        print(f"{title:20}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


def scale_table(args, X, unseen):
    """Print how the three architectures do on many pairs of many images."""
    pairs, W = labelled_pairs(args.data, "train", X, args.labels, 1, args.n_jobs)
    X_test, test_pairs, test_W = unseen
    names = ("weights", "fit, s", "MSE W", "MSE W2^2", "corr W", "corr W2^2", "rows/s")
    print(f"{len(pairs):,} labelled pairs, {len(test_W):,} test pairs")
    print(f"{'':20}" + "".join(f"{name:>12}" for name in names))
    for name in args.architectures.split(","):
        architecture = clone(ARCHITECTURES[name])
        embedder = KuratowskiEmbedder(
            architecture=architecture.set_params(aggregation=args.aggregation),
            grid_shape=GRID,
            random_state=0,
        )
        if args.max_iter:
            embedder.set_params(max_iter=args.max_iter)
        _, fit_time = timed(embedder.fit, X, pairs=pairs, distances=W)
        _, transform_time = timed(embedder.transform, X_test)
        predicted = predict(embedder, X_test, test_pairs)
        cells = [
            f"{embedder.n_parameters_:,}",
            f"{fit_time:.0f}",
            f"{np.mean((predicted - test_W) ** 2):.5f}",
            f"{np.mean((predicted**2 - test_W**2) ** 2):.4f}",
            f"{np.corrcoef(predicted, test_W)[0, 1]:.5f}",
            f"{np.corrcoef(predicted**2, test_W**2)[0, 1]:.5f}",
            f"{len(X_test) / transform_time:,.0f}",
        ]
        print(f"{name:20}" + "".join(f"{c:>12}" for c in cells), flush=True)


def main():
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--labels", type=int, default=None)
    parser.add_argument("--architectures", default="last,deep,ode")
    parser.add_argument("--aggregation", default=None)
    parser.add_argument("--rows", default="", help="part of the names of rows to run")
    parser.add_argument("--pool", type=int, default=235)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-parameters", type=int, default=50_000)
    parser.add_argument("--max-iter", type=int, default=None)
    parser.add_argument("--n-jobs", type=int, default=2)
    args = parser.parse_args()

    start = time.perf_counter()
    X, _ = fetch_mnist(data_home=args.data, return_X_y=True)
    X_test, _ = fetch_mnist(subset="test", data_home=args.data, return_X_y=True)
    pairs, W = labelled_pairs(args.data, "test", X_test, N_TEST_PAIRS, 2, args.n_jobs)
    if args.labels is None:
        args.aggregation = args.aggregation or "l1"
        pool_table(args, X, (X_test, pairs, W))
    else:
        args.aggregation = args.aggregation or "l2"
        scale_table(args, X, (X_test, pairs, W))
    threads = torch.get_num_threads()
    print(f"{time.perf_counter() - start:.0f} s in all, {threads} threads of torch")


if __name__ == "__main__":
    main()
