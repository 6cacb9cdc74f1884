"""Certified neighbours in W: solves, times, and what each bound rules out.

    python benchmarks/neighbors.py --data DIR [--parts mnist niches ...] [--keep DIR]

`DIR` as for `wormhole.py`, `private_axis.py` and `cells.py`. Queries are measures that
were not stored: test images, test shapes, niches of the right half of the tissue,
patients that were held out, test documents. Each row is one collection: `solves` of a
query (median and 95th percentile), `rough` (pairs bounded by potentials of their own),
time of a query (median and 95th percentile) and that of a search through all exact
distances; the share of queries that were proved; recall against that search. `left`:
how many stored measures were left after means, Gaussians, projections, potentials of
the first ten solves, and nearest points (medians). Then `refined` with 30 candidates:
recall, what `fit` expected, solves and time.

Exact distances of all pairs are kept in the folder of `--keep`, if there is one, and
not solved again. `--parts documents` compares with a loop over POT behind bounds of
centroids and nearest points, after Kusner et al. (2015); `--parts million` stores a
million shifted and blurred digits.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from private_axis import niches, patients
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from streaming import train

from skwass import LinearOTEmbedder, PseudobulkEmbedder
from skwass.measures import as_measures, thin_clouds
from skwass.neighbors import WassersteinNeighbors
from skwass.ot import ExactWasserstein, pairwise_wasserstein

GRID = (28, 28)
STAGES = ("means", "gaussian", "projections", "potentials", "nearest")


def images(folder, dataset, n_stored, n_queries):
    """Return stored and new images, of 28 x 28 pixels."""
    parts = []
    for name, n in (("train", n_stored), ("test", n_queries)):
        with np.load(Path(folder) / f"{dataset}_{name}.npz") as arrays:
            parts.append(as_measures(arrays["X"][:n].reshape(n, -1), grid_shape=GRID))
    return parts


def shapes(folder, n_points, n_queries):
    """Return training shapes and some test shapes, thinned to some points."""
    with np.load(Path(folder) / "modelnet.npz") as arrays:
        points, is_test = arrays["points"], arrays["is_test"]
    parts = points[~is_test], points[is_test][:n_queries]
    if n_points < points.shape[1]:
        return [thin_clouds(part, n_points) for part in parts]
    return [as_measures(part) for part in parts]


def of_patients(folder, n_queries):
    """Return samples of cells of some patients, and of others."""
    stored, new = patients(folder)
    return as_measures(stored), as_measures(new[:n_queries])


def of_niches(folder, n_queries):
    """Return niches of the left half of a tissue, and some of the right."""
    stored, new = niches(folder)
    step = max(1, len(new) // n_queries)
    return as_measures(stored), as_measures(new[::step][:n_queries])


class Case:
    """One collection: stored measures, queries, and settings of the search."""

    def __init__(self, stored, queries, n_brute, keep=None, name="", **settings):
        self.stored, self.queries, self.settings = stored, queries, settings
        self.name, self.keep, self.n_brute = name, keep, n_brute

    def exact(self):
        """Return all distances from the first queries, and seconds for each query."""
        truth = self.settings.get("ground_truth", ExactWasserstein())
        out = None if self.keep is None else Path(self.keep) / f"{self.name}.npy"
        few = np.arange(min(50, len(self.stored)))
        _, seconds = timed(
            pairwise_wasserstein, self.queries[:5], self.stored[few], ground_truth=truth
        )
        W = pairwise_wasserstein(
            self.queries[: self.n_brute], self.stored, ground_truth=truth, out=out
        )
        return np.asarray(W), seconds / (5 * len(few)) * len(self.stored)

    def run(self, n_neighbors=10):
        """Print one row."""
        W, brute = self.exact() if self.n_brute else (None, np.nan)
        model = WassersteinNeighbors(
            n_neighbors=n_neighbors, random_state=0, **self.settings
        )
        _, fit = timed(model.fit, self.stored)
        found, seconds = by_one(model, self.queries)
        print(f"\n## {self.name}: {len(self.stored):,} stored, {len(seconds)} queries")
        print(f"fit {fit:.1f} s; {n_neighbors} neighbours; {describe(model.embedder_)}")
        print(f"solves {spread(found['n_solves'])}, rough {spread(found['n_rough'])}")
        print(f"time {spread(1e3 * seconds)} ms; all exact distances {1e3 * brute:.0f}")
        print(f"proved {found['is_proved'].mean():.3f}, recall {recall(found, W)}")
        left = [f"{name} {np.median(found['left'][name]):.0f}" for name in STAGES]
        print(f"left: {', '.join(left)}")
        self.refine(model, W, n_neighbors, found)
        return model

    def refine(self, model, W, n_neighbors, certified):
        """Print the same for `refined`, against what was certified or solved."""
        settings = {**self.settings, "embedder": Frozen(model.embedder_)}
        settings.pop("max_solves", None)
        refined = WassersteinNeighbors(
            n_neighbors=n_neighbors,
            mode="refined",
            n_candidates=3 * n_neighbors,
            random_state=0,
            **settings,
        ).fit(self.stored)
        found, seconds = by_one(refined, self.queries)
        if certified["is_proved"].all():
            share = np.mean(
                [
                    len(set(a) & set(b)) / n_neighbors
                    for a, b in zip(found["indices"], certified["indices"], strict=True)
                ]
            )
            text = f"{share:.4f} of the certified"
        else:
            text = recall(found, W)
        print(
            f"refined: recall {text}, expected {refined.expected_recall_:.4f}, solves "
            f"{spread(found['n_solves'])}, time {spread(1e3 * seconds)} ms"
        )


class Frozen:
    """A fitted embedder that a fit leaves as it is."""

    def __new__(cls, embedder):
        from sklearn.frozen import FrozenEstimator

        return FrozenEstimator(embedder)


def describe(embedder):
    return str(embedder).split("(")[0] + f", {embedder._n_features_out} columns"


def by_one(model, queries):
    """Search for queries one by one; return what was found, and seconds of each."""
    parts, seconds = [], []
    for k in range(len(queries)):
        found, time_of = timed(model.search, queries[np.array([k])])
        parts.append(found)
        seconds.append(time_of)
    names = ("distances", "indices", "is_proved", "gaps", "n_solves", "n_rough")
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in names
    }
    joined["left"] = {
        name: np.concatenate([part.left[name] for part in parts])
        for name in parts[0].left
    }
    return joined, np.array(seconds)


def timed(function, *args, **settings):
    start = time.perf_counter()
    answer = function(*args, **settings)
    return answer, time.perf_counter() - start


def spread(values):
    """Return median and 95th percentile, as text."""
    return " / ".join(f"{v:.4g}" for v in np.percentile(values, [50, 95]))


def recall(found, W):
    """Return the share of neighbours that all exact distances confirm, as text."""
    if W is None:
        return "not checked"
    k = found["indices"].shape[1]
    near = np.sort(W, axis=1)[:, k - 1]
    own = np.take_along_axis(W, found["indices"][: len(W)], axis=1)
    share = (own <= near[:, None] * (1 + 1e-9)).mean()
    return f"{share:.4f} ({len(W)} queries)"


def compare_proposers(folder, n_stored=2_000, n_queries=100):
    """Print what the embedder changes."""
    stored, queries = images(folder, "mnist", n_stored, n_queries)
    for name, embedder in (
        ("means", PseudobulkEmbedder()),
        ("linear OT, 16", LinearOTEmbedder(16)),
        ("linear OT, 64", LinearOTEmbedder(64)),
        ("linear OT, corrected", LinearOTEmbedder(64, correction=True)),
    ):
        model = WassersteinNeighbors(embedder, random_state=0).fit(stored)
        found, seconds = by_one(model, queries)
        print(
            f"{name}: solves {spread(found['n_solves'])}, rough "
            f"{spread(found['n_rough'])}, time {spread(1e3 * seconds)} ms"
        )


def documents(folder, n_queries, keep):
    """Print W1 of documents beside the loop of Kusner et al. over POT."""
    stored, queries, _, _, vectors = stories(folder, n_queries)
    truth = ExactWasserstein(p=1)
    for k in (1, 10):
        Case(
            as_measures(stored, support=vectors),
            as_measures(queries, support=vectors),
            n_queries,
            keep,
            "documents",
            embedder=PseudobulkEmbedder(),
            ground_truth=truth,
        ).run(k)
    kusner(stored, queries, vectors, k=10)


def stories(folder, n_queries):
    """Return training and test documents of R8, by words, and vectors of words."""
    with np.load(Path(folder) / "docs_r8.npz") as arrays:
        indptr, words = arrays["indptr"], arrays["indices"].astype(np.int32)
        counts, is_test = arrays["counts"].astype(float), arrays["is_test"]
        y = arrays["y"]
    with np.load(Path(folder) / "words_w2v300.npz") as arrays:
        vectors = arrays[arrays.files[0]].astype(np.float64)
    whole = csr_array((counts, words, indptr), (len(y), len(vectors)))
    known = np.diff(indptr) > 0
    stored, new = np.flatnonzero(known & ~is_test), np.flatnonzero(known & is_test)
    return whole[stored], whole[new[:n_queries]], y[stored], y[new], vectors


def kusner(stored, queries, vectors, k):
    """Print the time of the prefetch-and-prune loop: WCD order, RWMD, exact by POT."""
    import ot

    mass = as_measures(stored, support=vectors).masses
    new = as_measures(queries, support=vectors).masses
    means, start = mass @ vectors, time.perf_counter()
    n_solves = []
    for q in range(new.shape[0]):
        row = new[q : q + 1]
        a, X = row.data, vectors[row.indices]
        order = np.argsort(np.linalg.norm(means - a @ X, axis=1))
        best, solves = [], 0
        for j in order.tolist():
            own = slice(mass.indptr[j], mass.indptr[j + 1])
            b, Y = mass.data[own], vectors[mass.indices[own]]
            C = cdist(X, Y)
            bound = max(a @ C.min(axis=1), b @ C.min(axis=0))
            if len(best) == k and bound >= best[-1]:
                continue
            best = sorted([*best, ot.emd2(a, b * (a.sum() / b.sum()), C)])[:k]
            solves += 1
        n_solves.append(solves)
    seconds = (time.perf_counter() - start) / len(n_solves)
    print(f"Kusner et al. over POT: {1e3 * seconds:.0f} ms, solves {spread(n_solves)}")


class Remembering:
    """An embedder that knows the rows of the stored measures: they are timed alone."""

    def __init__(self, embedder, measures, rows):
        self.embedder, self.n_stored, self.rows = embedder, len(measures), rows

    def __getattr__(self, name):
        return getattr(vars(self)["embedder"], name)

    def fit(self, X):
        """Stay as it is."""
        return self

    def transform(self, X):
        """Return rows of measures, those of the stored ones from memory."""
        return self.rows if len(X) == self.n_stored else self.embedder.transform(X)


def million(folder, n, n_queries=50):
    """Print build and query times by index of many images, and memory."""
    rng = np.random.default_rng(0)
    with np.load(Path(folder) / "mnist_train.npz") as arrays:
        digits = arrays["X"].astype(np.float32)
    embedder, _ = train(folder, 20_000)
    parts, rows, start = [], [], time.perf_counter()
    while sum(part.shape[0] for part in parts) < n:
        shift, blur = rng.integers(-3, 4, 2), rng.uniform(0, 0.7)
        X = np.roll(digits, shift, axis=(1, 2))
        X = gaussian_filter1d(gaussian_filter1d(X, blur, axis=1), blur, axis=2)
        X = np.where(X < 8, 0, X).reshape(len(X), -1)
        rows.append(embedder.transform(X))
        parts.append(csr_array(X))
    rows = np.concatenate(rows)[:n]
    print(
        f"images made and embedded in {time.perf_counter() - start:.0f} s", flush=True
    )
    from scipy.sparse import vstack

    stored = csr_array(vstack(parts, format="csr")[:n])
    _, queries = images(folder, "mnist", 1, n_queries)
    del parts
    measures = as_measures(stored, grid_shape=GRID)
    print(f"\n## {n:,} images; memory of measures alone {memory():.1f} GB")
    exact = None
    modes = {"brute": ("embedded", "refined"), "faiss": ("embedded", "refined")}
    modes |= {"sklearn": ("certified",), "pynndescent": ("embedded", "refined")}
    for index, some in modes.items():
        for mode in some:
            model = WassersteinNeighbors(
                Frozen(Remembering(embedder, measures, rows)),
                mode=mode,
                index=index,
                n_candidates=30,
                n_calibration=0,
                n_jobs=2,
                random_state=0,
            )
            try:
                _, fit = timed(model.fit, measures)
            except ImportError as error:
                print(error)
                break
            found, seconds = by_one(model, queries)
            exact = found if exact is None else exact
            same = np.mean(
                [
                    len(set(a) & set(b)) / 10
                    for a, b in zip(found["indices"], exact["indices"], strict=True)
                ]
            )
            print(
                f"{index}, {mode}: fit {fit:.0f} s, query {spread(1e3 * seconds)} ms, "
                f"of brute and embedded {same:.3f}, memory {memory():.1f} GB",
                flush=True,
            )
            if mode == "certified":
                print(
                    f"solves {spread(found['n_solves'])}, proved "
                    f"{found['is_proved'].mean():.2f}"
                )


def memory():
    """Return the peak of this process in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of the npz files")
    parser.add_argument("--keep", help="folder for exact distances")
    parser.add_argument("--parts", nargs="+", default=["mnist_2000"])
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--brute", type=int, default=20, help="queries solved in full")
    parser.add_argument("--stored", type=int, default=1_000_000, help="of 'million'")
    args = parser.parse_args()
    folder, keep, n_queries = args.data, args.keep, args.queries
    for part in args.parts:
        dataset, _, size = part.partition("_")
        if dataset in ("mnist", "fashion"):
            sides = images(folder, dataset, int(size), n_queries)
            Case(*sides, args.brute, keep, part).run()
        elif dataset == "modelnet":
            sides = shapes(folder, int(size), n_queries)
            few = {"max_solves": 100} if int(size) > 256 else {}
            Case(*sides, args.brute, keep, part, **few).run()
        elif part == "niches":
            Case(*of_niches(folder, n_queries), args.brute, keep, part).run()
        elif part == "patients":
            Case(*of_patients(folder, n_queries), args.brute, keep, part).run()
        elif part == "documents":
            documents(folder, n_queries, keep)
        elif part == "proposers":
            compare_proposers(folder)
        elif part == "million":
            million(folder, args.stored, n_queries)


if __name__ == "__main__":
    main()
