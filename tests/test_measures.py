"""What the one place that reads user input accepts, keeps and refuses."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skwass import LinearOTEmbedder, WassersteinMDS
from skwass.geometry import barycenter, geodesic
from skwass.manifold import nearest_edm
from skwass.measures import (
    Histograms,
    PointClouds,
    as_measures,
    clouds_from_groups,
    grid_support,
    is_collection_of_clouds,
)
from skwass.ot import ExactWasserstein, pairwise_wasserstein

ROWS = [[0, 1, 3, 0], [2, 2, 0, 4]]
MASSES = [[0, 0.25, 0.75, 0], [0.25, 0.25, 0, 0.5]]
CLOUDS = [[[0, 0], [1, 2], [3, 1]], [[5, 0], [1, 1], [2, 4]]]
SQUARE = np.eye(2)
TINY = np.nextafter(0, 1)


def objects(items):
    """Return an object array of the items, whatever their shapes."""
    array = np.empty(len(items), dtype=object)
    for k, item in enumerate(items):
        array[k] = item
    return array


def assert_same_measure(measure, expected):
    for part, wanted in zip(measure, expected, strict=True):
        assert_array_equal(part, wanted)


@pytest.fixture(params=["histograms", "clouds"])
def five_measures(request):
    rng = np.random.default_rng(0)
    if request.param == "histograms":
        return as_measures(rng.integers(1, 9, (5, 6)), grid_shape=(2, 3))
    return as_measures(
        [(rng.normal(size=(n, 2)), np.arange(n) + 1) for n in (3, 1, 4, 2, 5)]
    )


@pytest.mark.parametrize(
    "convert",
    [
        list,
        np.uint8,
        np.float32,
        np.asfortranarray,
        lambda rows: np.array(rows, dtype=object),
        lambda rows: [torch.tensor(row) for row in rows],
        lambda rows: pd.DataFrame(rows, columns=list("abcd")),
        lambda rows: torch.tensor(rows, dtype=torch.float32, requires_grad=True),
    ],
)
def test_histogram_layouts_give_the_same_masses(convert):
    X = convert(ROWS)
    assert not is_collection_of_clouds(X)
    histograms = as_measures(X)
    assert isinstance(histograms, Histograms)
    assert histograms.masses.dtype == np.float64
    assert_array_equal(histograms.masses, MASSES)
    assert as_measures(histograms) is histograms


def assert_are_the_clouds(X, masses):
    assert is_collection_of_clouds(X)
    clouds = as_measures(X)
    assert isinstance(clouds, PointClouds)
    assert_array_equal(clouds.points, CLOUDS)
    assert_array_equal(clouds.masses, masses)
    assert {a.dtype for a in clouds.masses} == {np.dtype(np.float64)}
    assert (len(clouds), clouds.dim, clouds.n_features) == (2, 2, 2)
    assert as_measures(clouds) is clouds
    assert clouds.to_clouds() is clouds


@pytest.mark.parametrize("collect", [list, objects])
@pytest.mark.parametrize(
    "convert",
    [list, np.uint8, np.float16, np.float32, pd.DataFrame, torch.tensor, torch.Tensor],
)
def test_list_layouts_give_the_same_clouds(convert, collect):
    points = [convert(x) for x in CLOUDS]
    assert_are_the_clouds(collect(points), np.full((2, 3), 1 / 3))
    weights = torch.tensor([[1, 2, 1], [3, 3, 2]])
    pairs = list(zip(points, weights, strict=True))
    assert_are_the_clouds(collect(pairs), [[0.25, 0.5, 0.25], [0.375, 0.375, 0.25]])


@pytest.mark.parametrize("convert", [np.array, np.float32, torch.tensor, torch.Tensor])
def test_3d_layouts_give_the_same_clouds(convert):
    assert_are_the_clouds(convert(CLOUDS), np.full((2, 3), 1 / 3))


@pytest.mark.parametrize("scale", [1e308, 1e-300, TINY])
def test_masses_of_any_scale_are_normalised(scale):
    row = np.array([1, 1, 0, 1]) * scale
    assert_allclose(as_measures([row]).masses, [[1 / 3, 1 / 3, 0, 1 / 3]], rtol=1e-15)
    (masses,) = as_measures([(np.arange(4)[:, None], row)]).masses
    assert_allclose(masses, np.full(3, 1 / 3), rtol=1e-15)


@pytest.mark.parametrize("weights", [[1, 0, 3], [1e308, TINY, 1e308]])
def test_points_that_weigh_nothing_are_dropped(weights):
    """Also those whose share of the mass underflows: masses are positive."""
    clouds = as_measures([(np.arange(6.0).reshape(3, 2), weights)])
    assert_array_equal(clouds.points[0], [[0, 1], [4, 5]])
    assert (clouds.masses[0] > 0).all()
    assert_allclose(clouds.masses[0].sum(), 1, rtol=1e-15)


def test_bins_without_mass_are_dropped_from_measures_and_clouds():
    histograms = as_measures(ROWS, grid_shape=(2, 2))
    expected = ([[0, 1], [1, 0]], [0.25, 0.75])
    assert_same_measure(histograms.measure(0), expected)
    assert_same_measure(histograms[0], expected)
    assert_same_measure(histograms.to_clouds()[0], expected)
    assert [len(x) for x in histograms.to_clouds().points] == [2, 3]
    assert (len(histograms), histograms.n_features, histograms.dim) == (2, 4, 2)


@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4)])
def test_grid_cells_are_in_the_order_of_ravel(shape):
    image = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape)
    cells = grid_support(shape).astype(int)
    assert_array_equal(image[tuple(cells.T)], image.ravel())
    measures = as_measures(np.eye(image.size), grid_shape=shape)
    assert (measures.grid_shape, measures.dim) == (shape, len(shape))
    assert_array_equal(measures.support, cells)


@pytest.mark.parametrize(
    ("settings", "support", "grid_shape"),
    [
        ({}, [[0], [1], [2], [3]], (4,)),
        ({"grid_shape": 4}, [[0], [1], [2], [3]], (4,)),
        ({"support": [3, 1, 4, 1.5]}, [[3], [1], [4], [1.5]], None),
        ({"support": torch.arange(8).reshape(4, 2)}, np.arange(8).reshape(4, 2), None),
    ],
)
def test_bin_positions(settings, support, grid_shape):
    measures = as_measures(ROWS, **settings)
    assert_array_equal(measures.support, support)
    assert measures.grid_shape == grid_shape
    # Histograms know where their bins are.
    assert_array_equal(as_measures(measures, **settings).support, support)
    placed = as_measures(ROWS, grid_shape=(2, 2))
    if settings:
        with pytest.raises(ValueError, match=r"puts them elsewhere, .* pass X\.masses"):
            as_measures(placed, **settings)
    else:
        assert as_measures(placed) is placed


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [4, 2, 0]),
        (np.array([3, 0, 3]), [3, 0, 3]),
        ([4, -5], [4, 0]),
        (np.array([True, False, False, True, False]), [0, 3]),
    ],
)
def test_slices_hold_the_chosen_measures(five_measures, key, rows):
    part = five_measures[key]
    assert type(part) is type(five_measures)
    assert len(part) == len(rows)
    for k, row in enumerate(rows):
        assert_same_measure(part[k], five_measures[row])
    if isinstance(part, Histograms):
        assert part.grid_shape == (2, 3)


def test_pickle_keeps_every_measure(five_measures):
    copy = pickle.loads(pickle.dumps(five_measures))
    assert len(copy) == 5
    for k, measure in enumerate(copy):
        assert_same_measure(measure, five_measures.measure(np.int64(k)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_points_are_not_copied(dtype):
    x = np.arange(6, dtype=dtype).reshape(3, 2)
    for clouds in (as_measures([x]), as_measures([(x, [1, 2, 3])])):
        assert clouds.points[0].dtype == dtype
        assert np.shares_memory(clouds.points[0], x)


def test_groups_become_clouds_in_sorted_order_and_keep_the_order_of_rows():
    X = np.arange(10).reshape(5, 2)
    groups = pd.Series(["b", "a", "b", "c", "b"])
    clouds, names = clouds_from_groups(X, groups, weights=[1, 7, 0, 2, 3])
    assert names.tolist() == ["a", "b", "c"]
    assert_same_measure(clouds[0], ([[2, 3]], [1]))
    assert_same_measure(clouds[1], ([[0, 1], [8, 9]], [0.25, 0.75]))
    uniform, names = clouds_from_groups(torch.tensor(X), np.array([2, 0, 2, -1, 2]))
    assert names.tolist() == [-1, 0, 2]
    assert_same_measure(uniform[2], (X[[0, 2, 4]], np.full(3, 1 / 3)))


@pytest.mark.parametrize(
    ("groups", "weights", "message"),
    [
        (["a"], None, r"groups of shape \(1,\), expected \(2,\)"),
        ([["a"], ["b"]], None, r"groups of shape \(2, 1\), expected \(2,\)"),
        (["a", "b"], [1], r"weights of shape \(1,\), expected \(2,\)"),
        (["b", "a"], [0, 1], "the cloud of group 'b' with no mass"),
        (["b", None], None, r"Got groups\[1\]=None"),
        ([np.nan, 1.0], None, r"Got groups\[0\]=nan"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, weights, message):
    with pytest.raises(ValueError, match=message):
        clouds_from_groups(SQUARE, groups, weights)


def second_weights(weights):
    return [(SQUARE, [1, 1]), (SQUARE, weights)]


VALUE_ERRORS = {
    "NaN": ([[1, 1], [np.nan, 1]], r"X\[1\] contains NaN or infinity"),
    "None": ([[1, 1], [None, 1]], r"X\[1\] contains NaN or infinity"),
    "inf": ([[1, 1], [np.inf, 1]], r"X\[1\] contains NaN or infinity"),
    "minus inf": ([[1, 1], [-np.inf, 1]], r"X\[1\] contains NaN or infinity"),
    "negative": (
        [[1, 1], [-1, 3], [1, 1], [-2, 3]],
        r"^Negative values in data: Got X where X\[1\] .* \(2 such rows\)$",
    ),
    "zero": ([[1, 1], [0, 0]], r"X\[1\] has no mass .* Drop the row\.$"),
    "strings": ([["1", "0"], ["a", "b"]], r"Got X\[1\]=\['a', 'b'\], expected numb"),
    "complex array": (SQUARE * 1j, "Complex data not supported"),
    "ragged": ([[1, 0], [1, 0, 1]], r"X\[1\]"),
    "1-D": (np.ones(3), r"Got X of shape \(3,\), .* Reshape your data"),
    "4-D": (np.ones((2, 2, 2, 2)), "Found array with dim 4"),
    "empty list": ([], r"0 sample\(s\): got X without measures"),
    "no rows": (np.ones((0, 3)), r"0 sample\(s\)"),
    "no clouds": (np.ones((0, 3, 2)), r"0 sample\(s\): got an empty X"),
    "empty cloud": ([SQUARE, SQUARE[:0]], r"X\[1\] without points"),
    "1-D points": ([SQUARE, [1, 2]], r"X\[1\] of shape \(2,\).*x\[:, None\]"),
    "mixed dimension": ([SQUARE, np.eye(3)], r"X\[1\] of dimension 3, expected 2"),
    "ragged points": ([SQUARE, [[1, 2], [3]]], r"X\[1\] with points of different"),
    "few weights": (second_weights([1]), r"X\[1\] with weights of shape \(1,\)"),
    "weight < 0": (second_weights([2, -1]), r"X\[1\] with negative weights"),
    "weight NaN": (second_weights([np.nan, 1]), r"X\[1\] with NaN or infinite wei"),
    "weight inf": (second_weights([1, np.inf]), r"X\[1\] with NaN or infinite wei"),
    "no mass": (second_weights([0, 0]), r"X\[1\] with no mass"),
}
TYPE_ERRORS = {
    "complex": ([[1, 0], [1j, 0]], r"Got X\[1\]=\[1j, 0\], expected numbers"),
    "tuple": ((SQUARE, [1, 1]), r"X=a tuple.*Pass \[X\]"),
    "triple": ([SQUARE, (SQUARE, 1, 1)], r"X\[1\]=a tuple of length 3"),
    "words": ([SQUARE, [["a", "b"]]], r"X\[1\] of dtype <U1"),
    "complex points": ([SQUARE, SQUARE * 1j], r"X\[1\] of dtype complex128"),
    "word weights": (second_weights(["a", "b"]), r"X\[1\] with weights of dtype <U1"),
}


@pytest.mark.parametrize(
    ("error", "X", "message"),
    [(ValueError, *case) for case in VALUE_ERRORS.values()]
    + [(TypeError, *case) for case in TYPE_ERRORS.values()],
    ids=[*VALUE_ERRORS, *TYPE_ERRORS],
)
def test_bad_collections_are_refused_by_name_of_the_row(error, X, message):
    with pytest.raises(error, match=message):
        as_measures(X)


@pytest.mark.parametrize(
    "bad",
    [np.nan, np.inf, -np.inf, 1.1e150, np.float32(-np.inf), np.float32(np.nan)],
    ids=repr,
)
def test_coordinates_must_be_finite_and_their_squares_too(bad):
    faulty = np.full((2, 2), bad)
    with pytest.raises(ValueError, match=r"Got X\[1\] with NaN, infinity or a coord"):
        as_measures([SQUARE, faulty])
    assert len(as_measures([np.full((2, 2), 1e150), -np.full((1, 2), 1e150)])) == 2


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        (SQUARE, {"grid_shape": (2, 2)}, r"grid_shape=\(2, 2\), .* features, 2\."),
        (SQUARE, {"grid_shape": (-1, -2)}, r"grid_shape=\(-1, -2\), expected"),
        (SQUARE, {"grid_shape": (2,), "support": [0, 1]}, "expected one of the two"),
        ([SQUARE], {"grid_shape": (2, 2)}, "point clouds with grid_shape"),
        ([SQUARE], {"support": SQUARE}, "point clouds with grid_shape=None or a sup"),
        (SQUARE, {"support": [0, 1, 2]}, r"support of shape \(3, 1\), .*\(2, d\)"),
        (SQUARE, {"support": [0, 1e151]}, r"support with .* beyond 1e\+150"),
        (SQUARE, {"support": [0, np.nan]}, "support contains NaN"),
    ],
)
def test_positions_that_do_not_fit_the_bins_are_refused(X, settings, message):
    with pytest.raises(ValueError, match=message):
        as_measures(X, **settings)


def masked_metric(x, y):
    return masked(np.ones((len(x), len(y))))


def fitted_map():
    return LinearOTEmbedder(n_reference=4, random_state=0).fit(ROWS)


def masked(x):
    """Return an array with one masked entry, under which is a number."""
    x = np.ma.array(x, dtype=float)
    x[(0,) * x.ndim] = np.ma.masked
    return x


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda: as_measures(masked(ROWS)), "X"),
        (lambda: as_measures([masked(row) for row in ROWS]), "X"),
        (lambda: as_measures(ROWS, support=masked(np.arange(4.0))), "support"),
        (lambda: as_measures(masked(CLOUDS)), r"X\[0\]"),
        (lambda: as_measures([CLOUDS[0], masked(CLOUDS[1])]), r"X\[1\]"),
        (
            lambda: as_measures([(np.array(CLOUDS[0]), masked(np.ones(3)))]),
            r"the weights of X\[0\]",
        ),
        (lambda: clouds_from_groups(masked(SQUARE), ["a", "b"]), "X"),
        (lambda: clouds_from_groups(SQUARE, masked(np.ones(2))), "groups"),
        (
            lambda: clouds_from_groups(SQUARE, ["a", "b"], masked(np.ones(2))),
            "weights",
        ),
        (lambda: pairwise_wasserstein(ROWS, pairs=masked([[0, 1]])), "pairs"),
        (
            lambda: ExactWasserstein(ground_metric=masked(np.zeros((4, 4)))).label(
                as_measures(ROWS), as_measures(ROWS), [[0, 1]]
            ),
            "ground_metric",
        ),
        (lambda: nearest_edm(masked(np.zeros((2, 2)))), "D"),
        (lambda: WassersteinMDS().fit(masked(np.zeros((2, 2)))), "X"),
        (
            lambda: fitted_map().fit(ROWS, distances=masked(np.zeros((2, 2)))),
            "distances",
        ),
        (lambda: fitted_map().inverse_transform(masked(np.zeros((1, 5)))), "X"),
        (lambda: barycenter(fitted_map(), ROWS, weights=masked(np.ones(2))), "weights"),
        (lambda: geodesic(fitted_map(), ROWS, times=masked(np.ones(2))), "times"),
        (
            lambda: pairwise_wasserstein(
                ROWS, ground_truth=ExactWasserstein(ground_metric=masked_metric)
            ),
            "ground_metric=.* with an answer",
        ),
    ],
)
def test_masks_are_not_dropped(read, name):
    with pytest.raises(ValueError, match=f"Got {name} with masked entries"):
        read()


def test_masks_of_nothing_are_no_fault():
    assert_allclose(as_measures(np.ma.array(ROWS)).masses, MASSES)
    clouds = as_measures(np.ma.array(CLOUDS, dtype=float))
    assert_array_equal(clouds.points[1], CLOUDS[1])


def test_masses_that_add_up_to_1_stay_as_they_are():
    """An atom that two measures have in common has one mass in both of them."""
    for masses in ([0.1] * 10, [0.1, 0.2, 0.7], [0.25, 0.75]):
        assert as_measures([masses]).masses[0].tolist() == masses
        cloud = np.arange(len(masses))[:, None], masses
        assert as_measures([cloud]).masses[0].tolist() == masses
    assert as_measures([[3, 4, 1]]).masses.tolist() == [[0.375, 0.5, 0.125]]


@pytest.mark.parametrize("unit", [1e-320, 1e-200, 1e200, 1e308])
def test_masses_may_be_in_any_unit(unit):
    expected = np.array([0.25, 0.75])
    masses = expected * unit
    assert_allclose(as_measures([masses]).masses[0], expected, rtol=1e-3)
    assert_allclose(as_measures([(SQUARE, masses)]).masses[0], expected, rtol=1e-3)
    # A power of two rounds nothing.
    power = 2.0 ** np.floor(np.log2(unit))
    assert as_measures([expected * power]).masses[0].tolist() == [0.25, 0.75]
