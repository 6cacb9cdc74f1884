"""Linear optimal transport: closed forms, a direct evaluation, laws."""

import numpy as np
import ot
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from sklearn.base import clone
from toys import clouds_of

from skwass import LinearOTEmbedder
from skwass.formulas.reference import make_reference
from skwass.geometry import barycenter, geodesic
from skwass.inspection import GeodesicDisplay
from skwass.measures import as_measures
from skwass.ot import (
    ExactWasserstein,
    GromovWasserstein,
    SinkhornDivergence,
    pairwise_wasserstein,
)


def test_maps_are_barycentric_projections_of_exact_plans():
    clouds = [
        (x, np.random.default_rng(k).uniform(0.1, 1, len(x)))
        for k, x in enumerate(clouds_of([4, 7, 9]))
    ]
    embedder = LinearOTEmbedder(
        n_reference=6, reference="kmeans", scale=False, random_state=0
    ).fit(clouds)
    r, s = embedder.reference_points_, embedder.reference_weights_
    images = []
    for x, a in clouds:
        plan = ot.emd(s, a / a.sum(), cdist(r, x, "sqeuclidean"))
        images.append((np.sqrt(s)[:, None] * (plan @ x / s[:, None])).ravel())
    assert_allclose(
        embedder.pairwise_distances(clouds), cdist(images, images), atol=1e-5
    )


@pytest.mark.parametrize("scale", [True, False])
def test_translates_are_at_their_true_distance(scale):
    cloud, shifts = clouds_of([7])[0], 50 * clouds_of([12])[0]
    embedder = LinearOTEmbedder(n_reference=5, scale=scale, random_state=0)
    embedder.fit(clouds_of([6] * 20))
    W = embedder.pairwise_distances([cloud + t for t in shifts])
    assert_allclose(W, cdist(shifts, shifts), rtol=1e-5, atol=1e-4)


def test_distances_to_the_reference_are_exact():
    """Where both have as many points of equal weight, plans are maps."""
    clouds = clouds_of([8] * 10, dim=3)
    embedder = LinearOTEmbedder(reference=clouds[0], scale=False).fit(clouds)
    W = pairwise_wasserstein(clouds)
    found = embedder.pairwise_distances(clouds)
    assert_allclose(found[0], W[0], rtol=1e-5, atol=1e-6)
    assert (found >= W * (1 - 1e-5)).all()


def test_exact_on_a_line():
    clouds = clouds_of([8] * 10, dim=1)
    embedder = LinearOTEmbedder(reference=clouds[3], scale=False).fit(clouds)
    found = embedder.pairwise_distances(clouds)
    assert_allclose(found, pairwise_wasserstein(clouds), rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def blobs():
    """Return clouds of three clusters, for training and test, and W of the latter."""
    parts = []
    for n, seed in ((200, 0), (60, 1)):
        rng = np.random.default_rng(seed)
        centers = 3 * rng.normal(size=(n, 3, 2))
        parts.append(centers.repeat(8, axis=1) + 0.3 * rng.normal(size=(n, 24, 2)))
    return *parts, pairwise_wasserstein(parts[1])


def error(embedder, blobs):
    """Mean squared error of W, and the smallest ratio of distances to W."""
    i, j = np.triu_indices(60, k=1)
    d, w = embedder.pairwise_distances(blobs[1])[i, j], blobs[2][i, j]
    return np.mean((d - w) ** 2), (d / w).min()


def test_a_finer_reference_does_not_go_below_w2(blobs):
    embedder = LinearOTEmbedder(n_reference=48, scale=False, random_state=0)
    assert error(embedder.fit(blobs[0]), blobs)[1] > 1 - 1e-5


def test_scale_is_that_of_the_part_without_the_mean(blobs):
    train, test, _ = blobs
    raw, scaled = (
        LinearOTEmbedder(scale=scale, n_reference=48, random_state=0).fit(train)
        for scale in (False, True)
    )
    assert raw.scale_ == 1
    assert raw.n_pairs_ == 0
    assert 0.8 < scaled.scale_ < 0.95
    assert error(scaled, blobs)[0] < 0.6 * error(raw, blobs)[0]
    for embedder in (raw, scaled):
        means = embedder.transform(test)[:, -2:]
        expected = test.mean(axis=1)
        assert_allclose(cdist(means, means), cdist(expected, expected), atol=1e-5)


def test_correction_takes_error_off_unseen_measures(blobs):
    plain, corrected = (
        LinearOTEmbedder(
            correction=correction, n_reference=48, n_pairs=4_000, random_state=0
        ).fit(blobs[0])
        for correction in (False, True)
    )
    assert error(corrected, blobs)[0] < 0.7 * error(plain, blobs)[0]


def test_all_components_change_no_distance(digits):
    one, other = (
        LinearOTEmbedder(
            k, private_axis=False, n_reference=20, grid_shape=(8, 8), random_state=0
        )
        .fit(digits[0])
        .pairwise_distances(digits[1])
        for k in (None, 42)
    )
    # The mean of shapes weighs nothing, so that 40 of 42 columns hold all.
    assert_allclose(one, other, rtol=1e-2)
    few = LinearOTEmbedder(10, n_reference=20, grid_shape=(8, 8), random_state=0)
    assert few.fit(digits[0]).transform(digits[1]).shape == (100, 11)


def test_labels_and_solves_are_counted(digits):
    X = digits[0]
    options = {"n_reference": 10, "reference": "kmeans", "grid_shape": (8, 8)}
    embedder = LinearOTEmbedder(random_state=0, n_pairs=30, **options).fit(X)
    assert embedder.n_pairs_ == 30
    assert 30 + 30 < embedder.n_solves_ <= 30 + 60  # pairs, and maps of their ends
    pairs = [[0, 1], [2, 3], [0, 4]]
    W = pairwise_wasserstein(X, pairs=pairs, grid_shape=(8, 8))
    given = LinearOTEmbedder(**options).fit(X, pairs=pairs, distances=W)
    assert (given.n_pairs_, given.n_solves_) == (3, 5)
    mapped = LinearOTEmbedder(4, n_maps=50, random_state=0, **options)
    assert mapped.fit(X, pairs=pairs, distances=W).n_solves_ <= 55
    assert LinearOTEmbedder(**options, scale=False).fit(X).n_solves_ == 0


def test_inverse_transform_gives_the_measure_back():
    clouds = clouds_of([16] * 40)
    for parameters in ({}, {"n_components": 34}, {"correction": True}):
        embedder = LinearOTEmbedder(
            n_reference=16, random_state=0, n_maps=40, **parameters
        ).fit(clouds)
        made = embedder.inverse_transform(embedder.transform(clouds))
        assert made.shape == (40, 16, 2)
        errors = pairwise_wasserstein(clouds, list(made)).diagonal()
        # A singular form of the correction forgets what W does not see.
        limit = 0.2 if parameters.get("correction") else 1e-4
        assert errors.mean() < limit * pairwise_wasserstein(clouds).mean(), parameters


def test_barycenters_and_geodesics():
    cloud = clouds_of([12])[0]
    embedder = LinearOTEmbedder(n_reference=12, random_state=0)
    embedder.fit(clouds_of([12] * 20))
    ends = [cloud, cloud + [6.0, 2.0]]
    center = barycenter(embedder, ends)
    (error,) = pairwise_wasserstein([center], [cloud + [3.0, 1.0]])
    assert error < 1e-4
    way = geodesic(embedder, ends, times=[0.25])
    assert pairwise_wasserstein(list(way), [cloud + [1.5, 0.5]])[0, 0] < 1e-4


def test_a_weighted_reference_decodes_to_weighted_clouds():
    clouds = clouds_of([9] * 10)
    reference = clouds[0], np.arange(1.0, 10.0)
    embedder = LinearOTEmbedder(reference=reference, scale=False).fit(clouds)
    made = embedder.inverse_transform(embedder.transform([reference, clouds[1]]))
    assert pairwise_wasserstein(made, [reference])[0, 0] < 1e-5
    assert_allclose(made[1][1], np.arange(1, 10) / 45)
    display = GeodesicDisplay.from_estimator(embedder, clouds[:2], times=2)
    assert len(display.axes_) == 4


def test_sinkhorn_maps_near_exact_ones_and_sample_wise():
    clouds = clouds_of([6, 7, 8, 9] * 5)
    exact = LinearOTEmbedder(reference=clouds[1], scale=False).fit(clouds)
    entropic = LinearOTEmbedder(
        reference=clouds[1], scale=False, ground_truth=SinkhornDivergence(reg=5e-3)
    ).fit(clouds)
    W = exact.pairwise_distances(clouds)
    i, j = np.triu_indices(20, k=1)
    found = entropic.pairwise_distances(clouds)
    assert np.corrcoef(found[i, j], W[i, j])[0, 1] > 0.97
    Z = entropic.transform(clouds)
    alone = np.vstack([entropic.transform([x]) for x in clouds])
    assert_allclose(Z, alone, atol=1e-5)
    translated = entropic.transform([clouds[0] + 30.0, clouds[0]])
    assert np.linalg.norm(translated[0] - translated[1]) == pytest.approx(
        30 * 2**0.5, rel=1e-4
    )


def test_equal_measures_and_single_points():
    clouds = [np.zeros((1, 2)), np.ones((1, 2)), np.full((1, 2), 4.0)]
    embedder = LinearOTEmbedder(random_state=0, correction=True).fit(clouds)
    assert_allclose(embedder.pairwise_distances(clouds)[0], [0, 2**0.5, 32**0.5], 1e-5)
    equal = LinearOTEmbedder(random_state=0).fit([clouds[0]] * 5)
    assert equal.scale_ == 1
    assert len(equal.reference_points_) == 1


def test_a_reference_of_few_points_is_corrected_as_well(blobs):
    plain, corrected = (
        LinearOTEmbedder(
            correction=correction, n_reference=8, n_pairs=4_000, random_state=0
        ).fit(blobs[0])
        for correction in (False, True)
    )
    assert error(corrected, blobs)[0] < error(plain, blobs)[0]


def test_the_barycenter_is_of_all_classes_in_sorted_data(digits):
    X, _, y, _ = digits
    order = np.argsort(y)
    _, _, n_solves = make_reference(
        "barycenter",
        5,
        _Recorded(as_measures(X[order], grid_shape=(8, 8))),
        ExactWasserstein(),
        np.random.RandomState(0),
        None,
    )
    assert n_solves == 300
    assert set(y[order][_Recorded.kept]) == set(range(10))


class _Recorded:
    """Measures that remember which of them the last slice of a slice took."""

    kept = None

    def __init__(self, measures, rows=None):
        self.measures = measures
        self.rows = np.arange(len(measures)) if rows is None else rows

    def __len__(self):
        return len(self.measures)

    def __getitem__(self, rows):
        _Recorded.kept = self.rows[rows]
        return _Recorded(self.measures[rows], self.rows[rows])

    def __getattr__(self, name):
        return getattr(self.measures, name)


@pytest.mark.parametrize("correction", [True, False])
def test_translates_alone_fit_no_scale(correction):
    """What is left of them about their means is rounding, and not to be scaled up."""
    cloud, shifts = clouds_of([9])[0], clouds_of([25])[0]
    embedder = LinearOTEmbedder(correction=correction, random_state=0)
    embedder.fit([cloud + t for t in shifts])
    assert embedder.scale_ == 1
    W = embedder.pairwise_distances([cloud, 2 * cloud])
    assert W[0, 1] == pytest.approx(pairwise_wasserstein([cloud, 2 * cloud])[0, 1], 0.1)


def test_a_reference_of_two_points_survives_a_file(tmp_path):
    clouds = clouds_of([9] * 10)
    embedder = LinearOTEmbedder(reference=[[1, 2], [3, 4]], random_state=0).fit(clouds)
    embedder.save(tmp_path / "file")
    again = clone(LinearOTEmbedder.load(tmp_path / "file")).fit(clouds)
    assert_allclose(again.transform(clouds), embedder.transform(clouds))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ground_truth": GromovWasserstein()}, "Got ground_truth=Gromov.*expected"),
        ({"ground_truth": ExactWasserstein(p=1)}, "with p=2 and the Euclidean metric"),
        ({"reference": np.zeros((3, 5))}, "Got reference of dimension 5, expected 2"),
        ({"n_components": 11}, "Got n_components=11, expected at most 10"),
    ],
)
def test_bad_parameters(parameters, message):
    embedder = LinearOTEmbedder(n_reference=20, **parameters)
    with pytest.raises(ValueError, match=message):
        embedder.fit(clouds_of([9] * 10))


def test_bad_embeddings_and_labels():
    clouds = clouds_of([9] * 10)
    embedder = LinearOTEmbedder(n_reference=5, random_state=0).fit(clouds)
    with pytest.raises(ValueError, match="Got X with 3 columns, expected 12"):
        embedder.inverse_transform(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="Got distances with scale=False"):
        embedder.set_params(scale=False).fit(clouds, distances=np.zeros((10, 10)))


@pytest.fixture(scope="module")
def many_dimensions():
    """Return clouds of 8 points in 60 dimensions, whose means vary in 5 of them."""
    rng = np.random.default_rng(0)
    shifts = np.zeros((120, 1, 60))
    shifts[:, 0, :5] = 3 * rng.normal(size=(120, 5))
    return rng.normal(size=(120, 8, 60)) + shifts


@pytest.mark.parametrize(("n_components", "low"), [(60, 0.75), (47, 0.0)])
def test_random_axes_see_what_training_did_not(many_dimensions, n_components, low):
    """Translates along dimensions in which no mean of training varied."""
    embedder = LinearOTEmbedder(n_components, random_state=0).fit(many_dimensions)
    rng = np.random.default_rng(1)
    far = np.zeros((20, 1, 60))
    far[:, 0, 5:] = rng.normal(size=(20, 55))
    far *= 10 / np.linalg.norm(far, axis=2, keepdims=True)
    here, there = many_dimensions[:20], many_dimensions[:20] + far
    Z, Z_far = embedder.transform(here), embedder.transform(there)
    ratio = np.linalg.norm((Z_far - Z)[:, :-1], axis=1) / 10
    assert low < ratio.mean() < 1.2
    if not low:
        assert ratio.mean() < 0.6
    else:
        assert Z.shape == (20, n_components + 1)
        middle = embedder.inverse_transform(Z)
        gaps = np.linalg.norm(middle.mean(axis=1) - here.mean(axis=1), axis=1)
        assert np.median(gaps) < np.linalg.norm(here.mean(axis=1), axis=1).mean()


@pytest.mark.parametrize(
    ("clouds", "n_components", "n_points"),
    [
        (clouds_of([5] * 9, dim=6), 4, 5),
        (clouds_of([5] * 9, dim=6), None, 45),
        (clouds_of([5, 6] * 4, dim=6), 4, 44),
        ([(x, [0.3, 0.7]) for x in clouds_of([2] * 9)], 2, 18),
    ],
)
def test_size_of_the_reference(clouds, n_components, n_points):
    """That of clouds, if there is one; otherwise 128, or all points that there are."""
    embedder = LinearOTEmbedder(n_components, random_state=0).fit(clouds)
    assert len(embedder.reference_points_) <= n_points
    expected = LinearOTEmbedder(
        n_components, n_reference=5 if n_points == 5 else 128, random_state=0
    ).fit(clouds)
    np.testing.assert_array_equal(
        embedder.reference_points_, expected.reference_points_
    )


def test_maps_of_small_clouds_are_those_of_the_simplex(many_dimensions, monkeypatch):
    embedder = LinearOTEmbedder(20, random_state=0).fit(many_dimensions)
    Z = embedder.transform(many_dimensions)
    monkeypatch.setattr("skwass.ot.assignment.MAX_POINTS", 0)
    np.testing.assert_allclose(
        embedder.transform(many_dimensions), Z, atol=1e-5 * np.abs(Z).max()
    )


def test_blocks_and_threads_change_nothing(many_dimensions, monkeypatch):
    embedder = LinearOTEmbedder(20, random_state=0).fit(many_dimensions)
    Z = embedder.transform(many_dimensions)
    monkeypatch.setattr("skwass.formulas.linear_ot._FEWEST", 7)
    monkeypatch.setattr("skwass.formulas.linear_ot._NEAR_NUMBERS", 1)
    for n_jobs in (None, 2):
        embedder.set_params(n_jobs=n_jobs)
        again = embedder.transform(many_dimensions)
        np.testing.assert_allclose(again, Z, atol=1e-5 * np.abs(Z).max())
