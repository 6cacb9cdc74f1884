"""The nearest Euclidean distance matrix: time to a certified answer, and what it says.

    python benchmarks/nearest_edm.py --data DIR [--distances W.npy]

`DIR` holds `mnist_test.npz` (`X`) and `mnist_256_all.npz` (`i`, `j`, `w2_sq`: exact
W2^2 of all pairs of its first 256 images). Distances of more test images, `--images` of
them, are kept in `--distances`, and computed into it if it is not there (2,000 images:
half an hour on two cores; a run that was stopped goes on).

Four tables: bounds and optimum of 256 images; seconds to a relative duality gap of 1e-6
by solver and size, beside one eigendecomposition of that size; leaving one of 1,000
images out; and placing unseen images by their distances to a few.

`noise` is squared distances of Gaussian points in R^5 plus symmetric noise; `MNIST` is
W2^2 of test images. Rounds of all rows of one size alternate; medians are shown.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning

from skwass import WassersteinMDS
from skwass.manifold import nearest_edm
from skwass.ot import pairwise_wasserstein

SIZES = (64, 128, 256, 512, 1000, 2000)
TOL = 1e-6


def mnist_256(folder):
    """Return W2^2 of the first 256 test images."""
    D = np.zeros((256, 256))
    with np.load(folder / "mnist_256_all.npz") as arrays:
        D[arrays["i"], arrays["j"]] = arrays["w2_sq"]
    return D + D.T


def mnist_distances(folder, file, n_images):
    """Return W of the first test images, from a file that is made if need be."""
    with np.load(folder / "mnist_test.npz") as arrays:
        X = arrays["X"][:n_images].reshape(n_images, -1)
    return np.array(
        pairwise_wasserstein(X, grid_shape=(28, 28), n_jobs=2, out=file, verbose=1)
    )


def noise(n):
    """Return squared distances of Gaussian points, perturbed."""
    rng = np.random.default_rng(0)
    X, E = rng.normal(size=(n, 5)), rng.normal(size=(n, n))
    D = np.abs(cdist(X, X, "sqeuclidean") + 0.5 * (E + E.T))
    np.fill_diagonal(D, 0)
    return D


def timed(function, *args, **settings):
    """Return the seconds that a call takes, and its answer."""
    start = time.perf_counter()
    answer = function(*args, **settings)
    return time.perf_counter() - start, answer


def show_bounds(D):
    """Print bounds, optimum and low-dimensional stresses of 256 images."""
    best = nearest_edm(D)
    bounds = best.bounds
    print("\n256 MNIST images, stress over ordered pairs, pixels^4")
    for name, value in [
        ("eigenvalue bound L", bounds.lower),
        ("shifted bound", bounds.shifted_lower),
        ("optimum", best.stress),
        ("scaled cMDS", bounds.scaled_cmds),
        ("cMDS", bounds.cmds),
        ("published U", bounds.published_upper),
        ("published column", bounds.published_column),
    ]:
        print(f"{name:20}{value:12.1f}")
    print(
        f"relative gap {best.duality_gap / best.stress:.1e}, rank "
        f"{best.embedding.shape[1]}, {best.n_iter} eigendecompositions"
    )
    for k in (2, 10, 20, 50, 100):
        Z = best.embedding[:, :k]
        truncated = np.square(cdist(Z, Z, "sqeuclidean") - D).sum()
        seconds, mds = timed(WassersteinMDS(k).fit, np.sqrt(D))
        print(
            f"k={k:<4}truncated {truncated:12.1f}   descended {mds.stress_:12.1f}"
            f"   MSE {mds.stress_ / (256 * 255):.4f}   {seconds:.1f} s"
        )


def time_solvers(kind, D, sdp_sizes, n_rounds, patience):
    """Time one matrix; return seconds by row."""
    n = len(D)
    eigh_seconds, _ = timed(np.linalg.eigh, D)
    seconds = {"eigh": [], "newton": [], "pgd": [], "sdp": []}
    answers, skipped = {}, set()
    for _ in range(n_rounds):
        seconds["eigh"].append(timed(np.linalg.eigh, D)[0])
        for solver in ("newton", "pgd", "sdp"):
            if solver in skipped or (solver == "sdp" and n not in sdp_sizes):
                continue
            settings = {"solver": solver, "tol": TOL}
            if solver == "pgd":
                settings["max_iter"] = int(max(patience / eigh_seconds, 10))
            taken, answers[solver] = timed(nearest_edm, D, **settings)
            seconds[solver].append(taken)
            if taken > 20:  # once is enough
                skipped.add(solver)
    median = {row: np.median(s) for row, s in seconds.items() if s}
    best = answers["newton"]
    line = f"{kind:6}{n:>6}{median['eigh']:>10.4f}{median['newton']:>10.3f}"
    line += f"{best.n_iter:>6}{median['newton'] / median['eigh']:>8.1f}"
    for solver in ("pgd", "sdp"):
        if solver not in answers:
            line += f"{'':>30}"
            continue
        answer = answers[solver]
        gap = abs(answer.stress / best.stress - 1)
        said = f"{gap:.0e}" if answer.converged else "not yet"
        line += f"{median[solver]:>9.2f}{answer.n_iter:>6}"
        line += f"{median[solver] / median['newton']:>7.1f}{said:>8}"
    print(line, flush=True)
    return median


def compare_solvers(matrices, sdp_sizes, n_rounds, patience):
    """Print the table of times, and how they grow."""
    print(
        f"\nSeconds to a relative gap of {TOL:g}; ratio is to newton, and the last "
        "column the difference of stress"
    )
    print(
        f"{'':6}{'n':>6}{'eigh':>10}{'newton':>10}{'eigs':>6}{'/ eigh':>8}"
        f"{'pgd':>9}{'eigs':>6}{'ratio':>7}{'differ':>8}"
        f"{'sdp':>9}{'iter':>6}{'ratio':>7}{'differ':>8}"
    )
    times = {}
    for kind, D in matrices:
        median = time_solvers(kind, D, sdp_sizes, n_rounds, patience)
        times.setdefault(kind, []).append((len(D), median["newton"], median["eigh"]))
    for kind, rows in times.items():
        n, newton, eig = np.array(rows).T
        for name, t in (("newton", newton), ("eigh", eig)):
            slopes = np.diff(np.log(t)) / np.diff(np.log(n))
            print(
                f"{kind}, {name}: exponent of n between sizes",
                " ".join(f"{slope:.2f}" for slope in slopes),
            )


def leave_one_out(W, n_left_out):
    """Print the stress of placing an image that was left out, beside refitting."""
    n = len(W)
    D = W**2
    whole = WassersteinMDS().fit(W)
    errors = np.square(whole.distance_matrix_**2 - D)
    left_out = np.random.default_rng(0).choice(n, n_left_out, replace=False)
    placed, stayed = [], []
    for i in left_out:
        rest = np.delete(np.arange(n), i)
        mds = WassersteinMDS().fit(W[np.ix_(rest, rest)])
        z = mds.transform(W[i : i + 1, rest])
        d_sq = cdist(z, mds.embedding_, "sqeuclidean")[0]
        placed.append(np.square(d_sq - D[i, rest]).sum())
        stayed.append(errors[i].sum())
    placed, stayed = np.array(placed), np.array(stayed)
    print(f"\nLeave one out, {n} images, {n_left_out} of them in turn: stress of a row")
    print(
        f"placed by transform {placed.mean():.3f}, in the refitted optimum "
        f"{stayed.mean():.3f}; mean ratio {np.mean(placed / stayed):.4f}, ratio of "
        f"sums {placed.sum() / stayed.sum():.4f}, worst "
        f"{np.max(placed / stayed):.3f}"
    )
    print(
        f"MSE of W2^2 {placed.mean() / (n - 1):.4f} and "
        f"{stayed.mean() / (n - 1):.4f} pixels^4"
    )


def place_unseen(W, n_unseen=300):
    """Print errors between unseen images that were placed by distances to a few."""
    unseen = slice(len(W) - n_unseen, len(W))
    truth = W[unseen, unseen][np.triu_indices(n_unseen, 1)]
    print(f"\n{n_unseen} unseen images, errors of distances between them")
    for n in (25, 50, 100, 200, 400, 700):
        for k in (50, None):
            if n > len(W) - n_unseen or (k is not None and k >= n):
                continue
            mds = WassersteinMDS(k).fit(W[:n, :n])
            seconds, Z = timed(mds.transform, W[unseen, :n])
            d = mds.embedded_distances(Z)[np.triu_indices(n_unseen, 1)]
            mse = np.square(d**2 - truth**2).mean()
            print(
                f"training {n:>4}, k={k or Z.shape[1]:>4}: MSE of W2^2 {mse:.4f}, "
                f"correlation of W {np.corrcoef(d, truth)[0, 1]:.5f}, transform "
                f"{n_unseen / seconds:,.0f}/s once distances are there"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--distances", type=Path, default=Path("mnist_w2.npy"))
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--sdp-sizes", type=int, nargs="*", default=[64, 128, 256])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=300, help="seconds for pgd")
    parser.add_argument("--left-out", type=int, default=50)
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "Got n=.* with solver='sdp'")
    D = mnist_256(args.data)
    show_bounds(D)
    W = mnist_distances(args.data, args.distances, args.images)
    print(
        "largest difference from the file of 256:", np.abs(W[:256, :256] ** 2 - D).max()
    )
    matrices = [("noise", noise(n)) for n in args.sizes]
    matrices += [("MNIST", W[:n, :n] ** 2) for n in args.sizes if n <= len(W)]
    compare_solvers(matrices, args.sdp_sizes, args.rounds, args.patience)
    leave_one_out(W[:1000, :1000], args.left_out)
    place_unseen(W[:1000, :1000])


if __name__ == "__main__":
    main()
