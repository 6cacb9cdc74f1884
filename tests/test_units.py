"""Data in any unit: the same answer times the unit, to the byte for powers of two."""

import warnings
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from toys import ON_CLOUDS, TRAINED, clouds_of

from skwass import (
    DeepWassersteinEmbedder,
    KuratowskiEmbedder,
    SlicedWassersteinEmbedder,
    WormholeEmbedder,
)
from skwass.measures import as_measures
from skwass.ot import ExactWasserstein, SinkhornDivergence, pairwise_wasserstein

CLOUDS = clouds_of([5, 7, 9] * 8)
SUPPORT = np.random.default_rng(0).normal(size=(12, 2))
MASSES = np.random.default_rng(1).dirichlet(np.ones(12), 24)
ON_BINS = {
    "deep": partial(DeepWassersteinEmbedder, **TRAINED),
    "kuratowski": partial(KuratowskiEmbedder, **TRAINED),
    "wormhole on bins": partial(WormholeEmbedder, **TRAINED),
    "linear on bins": ON_CLOUDS["linear"],
}
NAMES = [*ON_CLOUDS, *ON_BINS]
every_embedder = pytest.mark.parametrize("name", NAMES)


# What has no unit of the data comes out as it is.
UNITLESS = {"walk"}


def fit(name, unit=1.0, **parameters):
    """Return a fitted embedder, and measures, in a unit; no warnings but its own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if name in ON_BINS:
            X = MASSES
            embedder = ON_BINS[name](support=unit * SUPPORT, **parameters).fit(X)
        else:
            X = [unit * x for x in CLOUDS]
            embedder = ON_CLOUDS[name](**parameters).fit(X)
    return embedder, X, sorted(str(warning.message) for warning in caught)


@pytest.fixture(scope="module")
def plain():
    """Return fits in the plain unit, each made once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = fit(name)
        return made[name]

    return get


@every_embedder
@pytest.mark.parametrize(
    "power",
    [-220, -20, 17, 200, *(pytest.param(k, marks=pytest.mark.slow) for k in (-66, 64))],
)
def test_powers_of_two_change_no_byte(name, power, plain):
    """Out to 1e66; WassersteinMDS takes fourth powers of distances, and no more."""
    expected, X, said = plain(name)
    unit = 2.0**power
    found, X_unit, said_unit = fit(name, unit)
    assert said_unit == said
    unit = 1.0 if name in UNITLESS else unit
    W, W_unit = expected.pairwise_distances(X), found.pairwise_distances(X_unit)
    assert_array_equal(W_unit / unit, W)
    assert_array_equal(found.transform(X_unit) / unit, expected.transform(X))
    squared = found.pairwise_distances(X_unit[:3], X_unit[3:5], squared=True)
    plain_squared = expected.pairwise_distances(X[:3], X[3:5], squared=True)
    assert_array_equal(squared / unit**2, plain_squared)
    if name not in UNITLESS:
        assert found.score(X_unit) == expected.score(X)


@every_embedder
@pytest.mark.parametrize(
    "unit", [1e-30, 1e-23, 1e-19, 1e-9, 1e-6, 1e6, 1e10, 1e19, 1e20, 1e30]
)
def test_other_units_change_what_is_rounded(name, unit, plain):
    expected, X, said = plain(name)
    found, X_unit, said_unit = fit(name, unit)
    assert said_unit == said
    unit = 1.0 if name in UNITLESS else unit
    W = expected.pairwise_distances(X)
    W_unit = found.pairwise_distances(X_unit)
    assert_allclose(W_unit / unit, W, atol=1e-3 * W.max())


@pytest.mark.parametrize("power", [-100, 100])
@pytest.mark.parametrize("name", ["linear", "wormhole"])
def test_decoded_clouds_are_in_the_unit_of_the_data(name, power, plain):
    expected, X, _ = plain(name)
    unit = 2.0**power
    found, X_unit, _ = fit(name, unit)
    Z, Z_unit = expected.transform(X), found.transform(X_unit)
    decoded = found.inverse_transform(Z_unit.mean(axis=0, keepdims=True))
    mean = Z.astype(Z_unit.dtype).mean(axis=0, keepdims=True)
    assert_allclose(decoded / unit, expected.inverse_transform(mean), rtol=1e-4)


@pytest.mark.parametrize("name", NAMES[:-1])
def test_fits_go_on_and_files_open_in_that_unit(name, tmp_path):
    distances = []
    for unit in (1.0, 2.0**-90):
        embedder, X, _ = fit(name, unit)
        found = [embedder.pairwise_distances(X)]
        if hasattr(embedder, "save"):
            embedder.save(tmp_path / "file")
            again = type(embedder).load(tmp_path / "file")
            assert_array_equal(again.pairwise_distances(X), found[0])
        if hasattr(embedder, "partial_fit"):
            found.append(embedder.partial_fit(X).pairwise_distances(X))
            embedder.set_params(warm_start=True).fit(X)
            found.append(embedder.pairwise_distances(X))
        distances.append(np.array(found) / (1.0 if name in UNITLESS else unit))
    assert_array_equal(*distances)


def test_fitted_points_are_in_the_unit_of_the_data():
    unit = 2.0**70
    for name, attributes in (
        ("linear", {"reference_points_": 1}),
        ("gaussian", {"location_": 1, "covariance_": 2}),
        ("diffusion", {"nodes_": 1, "scale_": 1}),
    ):
        expected, found = fit(name)[0], fit(name, unit)[0]
        for attribute, power in attributes.items():
            value = getattr(found, attribute)
            assert_allclose(value / unit**power, getattr(expected, attribute))
    points = SUPPORT[:4]
    expected = fit("linear", reference=points)[0]
    found = fit("linear", unit, reference=unit * points)[0]
    assert_array_equal(found.reference_points_, unit * points)
    X = [unit * x for x in CLOUDS]
    W = expected.pairwise_distances(CLOUDS)
    assert_array_equal(found.pairwise_distances(X) / unit, W)


@pytest.mark.parametrize("name", ["scaled", "corrected", "wormhole", "diffusion"])
def test_given_labels_are_in_the_unit_of_the_data(name):
    unit = 2.0**-80
    W = pairwise_wasserstein(CLOUDS)
    pairs = np.column_stack(np.triu_indices(len(W), k=1))
    listed = {"pairs": pairs, "distances": unit * W[pairs[:, 0], pairs[:, 1]]}
    X = [unit * x for x in CLOUDS]
    expected = ON_CLOUDS[name]().fit(CLOUDS, distances=W).pairwise_distances(CLOUDS)
    for labels in ({"distances": unit * W}, listed):
        found = ON_CLOUDS[name]().fit(X, **labels).pairwise_distances(X)
        assert_array_equal(found / unit, expected)
    with pytest.warns(UserWarning, match="are 3 times W"):
        ON_CLOUDS[name]().fit(X, distances=3 * unit * W)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_walks_are_scaled_to_w_in_any_unit(unit):
    """Also to one that a ground truth has of its own."""

    def metric(x, y):
        return unit * np.linalg.norm(x[:, None] - y, axis=2)

    expected = fit("diffusion")[0].scale_
    truth = ExactWasserstein(ground_metric=metric)
    embedder = ON_CLOUDS["diffusion"](ground_truth=truth).fit(CLOUDS)
    assert embedder.scale_ / unit == pytest.approx(expected, rel=1e-6)


def test_ground_truths_of_a_unit_of_their_own_take_ordinary_data():
    for truth in (
        SinkhornDivergence(scale=1.0),
        ExactWasserstein(ground_metric="cosine"),
        ExactWasserstein(ground_metric=lambda x, y: np.abs(x[:, :1] - y[:, 0])),
    ):
        embedder = SlicedWassersteinEmbedder(ground_truth=truth)
        embedder.fit([1e10 * x for x in CLOUDS])
        assert embedder.transform([1e10 * x for x in CLOUDS]).dtype == np.float32
        for unit in (1e-20, 1e20):
            with pytest.raises(ValueError, match=r"Measure in another unit\.$"):
                embedder.fit([unit * x for x in CLOUDS])
        # Nothing has changed by that.
        assert embedder.transform(CLOUDS).dtype == np.float32


@pytest.mark.filterwarnings("ignore:Got labels that are all 0")
def test_equal_measures_in_any_unit():
    for name, make in ON_CLOUDS.items():
        if name not in ("mds", "corrected"):  # which refuse them, or find no axes
            X = [1e30 * CLOUDS[0]] * 30
            assert_allclose(make().fit(X).pairwise_distances(X), 0, atol=1e25)


@pytest.mark.parametrize("name", ["linear", "sliced", "gaussian", "wormhole"])
def test_measures_far_beyond_those_of_fit_are_refused(name):
    embedder = fit(name)[0]
    with pytest.raises(ValueError, match="Check their unit"):
        embedder.transform([1e25 * x for x in CLOUDS])
    with pytest.raises(ValueError, match="whose squares float32 can hold"):
        embedder.pairwise_distances(CLOUDS, [1e25 * x for x in CLOUDS])
    far = [1e16 * x for x in CLOUDS]
    W = embedder.pairwise_distances(far)
    assert np.isfinite(W).all()
    assert W[0, 1] > 1e14


def test_exact_distances_in_any_unit():
    measures = as_measures(CLOUDS[:4])
    expected = pairwise_wasserstein(measures)
    for power in (-480, -100, 100, 480):
        W = pairwise_wasserstein([2.0**power * x for x in CLOUDS[:4]])
        assert_array_equal(W / 2.0**power, expected)
