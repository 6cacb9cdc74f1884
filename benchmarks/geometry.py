"""Barycenters, principal geodesics and geodesics of MNIST, by several methods.

    python benchmarks/geometry.py --data DIR --model FILE
    python benchmarks/geometry.py --data DIR --show modes --figure FILE.png

`DIR` holds `mnist_train.npz`, `mnist_test.npz` (`X`, `y`) and `mnist_train_pairs.npz`
(`i`, `j`, `w2_sq`), as for `dwe_mnist.py`. A network with a decoder is trained on
`--labels` pairs, or opened from `--model`, where it is kept. All W2^2 are exact, in
pixels^2, to unseen images; times are those of one processor.

`barycenters`: figure 3 of Courty, Flamary, Ducoffe (2018). `modes`: figure 4.
`geodesics`: figure 6.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from dwe_mnist import labelled_pairs
from sklearn.decomposition import PCA
from wormhole import load

from skwass import DeepWassersteinEmbedder, GaussianEmbedder, LinearOTEmbedder
from skwass.architectures import HistogramDecoder
from skwass.geometry import PrincipalGeodesics, barycenter, geodesic
from skwass.measures import as_measures
from skwass.measures.subsets import evenly
from skwass.metrics import variational_report
from skwass.ot import pairwise_wasserstein

GRID = {"grid_shape": (28, 28)}
N_PER_CLASS, N_JUDGED, N_HELD_OUT, N_PAIRS = 1_000, 500, 100, 20
CLASSES, SIZES, TIMES = (0, 1, 4), (1, 2, 5, 10), (0.25, 0.5, 0.75)


def timed(function, *args, **kwargs):
    """Return what a call gives and the seconds of the processor that it took."""
    start = time.process_time()
    answer = function(*args, **kwargs)
    return answer, time.process_time() - start


def trained(args, train):
    """Return a network with a decoder, opened or trained."""
    if args.model is not None and Path(args.model).exists():
        return DeepWassersteinEmbedder.load(args.model)
    pairs, W = labelled_pairs(args.data, "train", train, args.labels, 1, args.n_jobs)
    embedder = DeepWassersteinEmbedder(
        **GRID, decoder=HistogramDecoder(args.weight), random_state=0
    )
    _, seconds = timed(embedder.fit, train, pairs=pairs, distances=W)
    print(f"trained on {len(W):,} pairs: {seconds:.0f} s", flush=True)
    if args.model is not None:
        embedder.save(args.model)
    return embedder


def clouds_of(X):
    """Return images as clouds of pixels, whose barycenters are on free points."""
    return as_measures(X, **GRID).to_clouds()


def barycenters(embedder, test, y, args):
    """Print mean W2^2 to the class, over classes, and time, by method."""
    everywhere = GaussianEmbedder().fit(clouds_of(test[:100]))
    ways = {
        "mean of pixels": {"method": "euclidean"},
        "regularized, 100 images": {"method": "regularized"},
        "decoder": {"refine": 0},
        "decoder, refine=1": {"refine": 1},
        "decoder, refine=2 (default)": {},
        "decoder, refine=2, 25 images": {"n_measures": 25},
        "linear OT, all images": {"method": "linear_ot"},
        "exact on the grid, 100 images": {"method": "exact"},
        "exact on points, 100 images": {},
    }
    tables = []
    for label in args.classes:
        X = test[y == label][:N_PER_CLASS]
        found, seconds = {}, []
        for name, options in ways.items():
            one, how, measures = embedder, options, X
            if name.startswith("exact on points"):
                one, how, measures = everywhere, {"method": "exact"}, clouds_of(X)
            found[name], spent = timed(barycenter, one, measures, **how)
            seconds.append(spent)
        judged = X[evenly(len(X), N_JUDGED)]
        report = variational_report(found, judged, **GRID, n_jobs=args.n_jobs)
        table = report.table
        tables.append([table["mean_w2_sq"], seconds, table["effective_size"]])
        print(f"class {label}: {table['mean_w2_sq'].round(3)}", flush=True)
    values, seconds, sizes = np.transpose(tables, (1, 2, 0))
    names = list(ways)
    pixels, best = values[0], values[names.index("exact on the grid, 100 images")]
    print(
        f"{'':32}{'W2^2':>8}{'/exact':>8}{'worst':>8}{'/pixels':>9}{'ms':>8}{'size':>6}"
    )
    for name, value, spent, size in zip(names, values, seconds, sizes, strict=True):
        print(
            f"{name:32}{value.mean():8.3f}{(value / best).mean():8.3f}"
            f"{(value / best).max():8.3f}{(value / pixels).mean():9.3f}"
            f"{1e3 * np.mean(spent):8.0f}{np.mean(size):6.0f}"
        )


def shares_explained(judged, rebuilt, total):
    """Return which share of the mean W2^2 to the barycenter is explained, by size."""
    clouds, shares = clouds_of(judged), []
    pairs = np.tile(np.arange(len(judged))[:, None], 2)
    for measures in rebuilt:
        made = list(measures)
        if np.ndim(made[0]) == 1:
            made = clouds_of(np.asarray(made, dtype=float))
        W = pairwise_wasserstein(made, clouds, pairs=pairs)
        shares.append(1 - np.mean(W**2) / total)
    return shares


def as_images(rebuilt):
    """Return rebuilt images without negative masses, and those next to nothing."""
    return np.where(rebuilt > 1e-4 * rebuilt.max(axis=1, keepdims=True), rebuilt, 0)


def modes(embedder, test, y, args):
    """Print how much of the mean W2^2 few directions explain, of unseen images."""
    heads = "".join(f"{f'{k} comp.':>10}" for k in SIZES)
    print(f"{'':34}{heads}")
    drawn = []
    for label in CLASSES:
        X = test[y == label][:N_PER_CLASS]
        X = X / X.sum(axis=1, keepdims=True)
        judged, X = X[:N_HELD_OUT], X[N_HELD_OUT:]
        center = barycenter(embedder, X, method="exact")
        W = pairwise_wasserstein(center[None], judged, **GRID)
        total = np.mean(W**2)
        pca = PCA(max(SIZES)).fit(X)
        scores = pca.transform(judged)
        images = [pca.mean_ + scores[:, :k] @ pca.components_[:k] for k in SIZES]
        rows = {"pixels": (images, pca.explained_variance_ratio_)}
        linear = LinearOTEmbedder(**GRID, n_reference=256, random_state=0).fit(X)
        for name, one in (("PGA, network", embedder), ("log-PCA, linear OT", linear)):
            pga = PrincipalGeodesics(one, max(SIZES)).fit(X)
            scores = pga.transform(judged)
            rebuilt = [
                pga.inverse_transform(scores * (np.arange(max(SIZES)) < k))
                for k in SIZES
            ]
            rows[name] = rebuilt, pga.explained_variance_ratio_
            drawn.append((f"{label}: {name}", pga))
        print(f"class {label}, mean W2^2 {total:.3f}")
        for name, (rebuilt, ratios) in rows.items():
            if name == "pixels":
                rebuilt = [as_images(r) for r in rebuilt]
            own = np.cumsum(ratios)[np.array(SIZES) - 1]
            shares = shares_explained(judged, rebuilt, total)
            print(f"  {name:20}{'of W2^2':>12}" + "".join(f"{s:10.3f}" for s in shares))
            print(
                f"  {'':20}{'own ratio':>12}" + "".join(f"{s:10.3f}" for s in own),
                flush=True,
            )
        floor = embedder.inverse_transform(embedder.transform(judged))
        (share,) = shares_explained(judged, [floor], total)
        print(f"  all columns of the network, decoded{share:10.3f}")
        drawn.append((f"{label}: pixels", pca))
    if args.figure is not None:
        draw_modes(drawn, args.figure)


def draw_modes(drawn, path):
    """Draw three modes of each analysis in both directions."""
    import matplotlib.pyplot as plt

    t = np.linspace(-2, 2, 5)
    fig, axes = plt.subplots(len(drawn), 15, figsize=(15, 1.1 * len(drawn)))
    for row, (name, analysis) in zip(axes, drawn, strict=True):
        for k in range(3):
            if isinstance(analysis, PCA):
                length = np.sqrt(analysis.explained_variance_[k])
                made = analysis.mean_ + np.outer(length * t, analysis.components_[k])
            else:
                made = analysis.path(k, t)
            for ax, one in zip(row[5 * k : 5 * k + 5], made, strict=True):
                if np.ndim(one) == 1:
                    ax.imshow(np.reshape(one, (28, 28)), cmap="gray_r", vmin=0)
                else:
                    ax.scatter(one[:, 1], -one[:, 0], s=2, linewidths=0)
                    ax.set(xlim=(0, 27), ylim=(-27, 0), aspect="equal")
        row[0].set_ylabel(name, fontsize=6)
    for ax in axes.ravel():
        ax.set(xticks=[], yticks=[])
    fig.savefig(path, dpi=110)


def geodesics(embedder, test, y, args):
    """Print distances to the exact geodesic, and times, by method."""
    rng = np.random.default_rng(0)
    linear = LinearOTEmbedder(**GRID, random_state=0).fit(test[5_000:5_500])
    everywhere = GaussianEmbedder().fit(clouds_of(test[:100]))
    ways = {
        "pixels": (embedder, "euclidean"),
        "regularized": (embedder, "regularized"),
        "learned": (embedder, "decoder"),
        "linear OT": (linear, "decoder"),
        "exact on the grid": (embedder, "exact"),
    }
    gaps = {name: [] for name in ways}
    seconds = {name: [] for name in [*ways, "exact on points"]}
    for _ in range(N_PAIRS):
        ends = test[rng.choice(len(test), 2, replace=False)]
        clouds = clouds_of(ends)
        far = pairwise_wasserstein(clouds)[0, 1]
        truth, spent = timed(geodesic, everywhere, clouds, times=TIMES, method="exact")
        seconds["exact on points"].append(spent)
        for name, (one, method) in ways.items():
            path, spent = timed(geodesic, one, ends, times=TIMES, method=method)
            seconds[name].append(spent)
            path = list(path)
            if np.ndim(path[0]) == 1:
                path = clouds_of(np.asarray(path, dtype=float))
            steps = np.tile(np.arange(len(TIMES))[:, None], 2)
            W = pairwise_wasserstein(path, list(truth), pairs=steps)
            gaps[name].append(np.append(W, far))
    print(
        f"{'':20}{'ms per time':>12}"
        + "".join(f"{f't={t}':>10}" for t in TIMES)
        + f"{'/ W2':>10}"
    )
    for name in [*ways, "exact on points"]:
        found = np.array(gaps.get(name, np.zeros((1, len(TIMES) + 1)) + 1e-300))
        means = found[:, :-1].mean(axis=0) if name in gaps else np.zeros(len(TIMES))
        share = (
            (found[:, :-1].mean(axis=1) / found[:, -1]).mean() if name in gaps else 0.0
        )
        ms = 1e3 * np.median(seconds[name]) / len(TIMES)
        print(
            f"{name:20}{ms:12.1f}"
            + "".join(f"{m:10.3f}" for m in means)
            + f"{share:10.3f}"
        )


def main():
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    shows = {"barycenters": barycenters, "modes": modes, "geodesics": geodesics}
    parser.add_argument("--show", choices=shows, nargs="+", default=list(shows))
    parser.add_argument("--classes", type=int, nargs="+", default=range(10))
    parser.add_argument("--labels", type=int, default=40_000)
    parser.add_argument("--weight", type=float, default=0.02, help="of the decoder")
    parser.add_argument("--model", default=None, help="file of the network")
    parser.add_argument("--figure", default=None, help="file to draw modes to")
    parser.add_argument("--n-jobs", type=int, default=1)
    args = parser.parse_args()
    train, test, _, y, _ = load(args.data, "mnist")
    test = test.astype(float)
    embedder = trained(args, train)
    for show in args.show:
        shows[show](embedder, test, y, args)


if __name__ == "__main__":
    main()
