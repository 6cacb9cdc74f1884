"""Architectures, decoders and labels as objects: any that fits goes into any class."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn
from toys import clouds_of, make_small

from skwass import (
    DeepWassersteinEmbedder,
    KuratowskiEmbedder,
    WormholeEmbedder,
    architectures,
    labels,
)
from skwass.architectures import (
    ODEKENN,
    Architecture,
    Convolutional,
    Courty2018,
    Courty2018Decoder,
    Decoder,
    DeepKENN,
    DeepSets,
    Dense,
    Fourier,
    HistogramDecoder,
    SetTransformer,
    Slices,
    Space,
    TransportMaps,
)
from skwass.architectures.choice import ARCHITECTURES, DECODERS
from skwass.labels import Blocks, Doubling, InBatch, Pairs
from skwass.labels.schemes import SCHEMES
from skwass.measures import as_measures
from skwass.ot import ExactWasserstein

EMBEDDERS = [DeepWassersteinEmbedder, KuratowskiEmbedder, WormholeEmbedder]
OF_POINTS = [
    Slices((16,)),
    Fourier((16,), n_frequencies=16),
    DeepSets((16,), n_frequencies=16, n_layers=1, point_width=8),
    SetTransformer((16,), n_frequencies=16, point_width=8, n_heads=2, n_inducing=4),
    TransportMaps((16,), n_reference=8),
    DeepKENN(Slices((16,))),
    ODEKENN(Fourier((), n_frequencies=16), widths=(16,), aggregation="l1"),
]
OF_MASSES = [
    Dense((16,)),
    Convolutional((4,), (16,)),
    Courty2018(),
    DeepKENN(Dense((16,)), layers="last"),
    ODEKENN(Convolutional((4,), ()), widths=(16,), velocity=True),
]
CLOUDS = clouds_of(np.random.default_rng(0).integers(3, 9, size=40))


@pytest.mark.slow
@pytest.mark.parametrize("embedder", EMBEDDERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("architecture", [*OF_POINTS, *OF_MASSES], ids=repr)
def test_any_network_goes_into_any_embedder(embedder, architecture, digits, tmp_path):
    """With a decoder, from a file too; derivatives are toward the same probes."""
    parameters = {"architecture": architecture, "decoder": "auto", "max_iter": 1}
    fitted = make_small(embedder, **parameters).fit(digits[0])
    Z = fitted.transform(digits[1])
    assert np.isfinite(Z).all()
    assert np.ptp(Z, axis=0).max() > 0
    if hasattr(fitted, "block_sizes_"):
        n_columns = sum(fitted.block_sizes_) + fitted.module_.n_exact
    else:
        n_columns = fitted.n_components
    assert Z.shape == (100, n_columns + fitted.module_.readout.has_private)
    assert type(fitted.architecture_) is type(architecture)
    fitted.save(tmp_path / "file")
    again = embedder.load(tmp_path / "file")
    assert_array_equal(again.transform(digits[1]), Z)
    assert_array_equal(again.inverse_transform(Z), fitted.inverse_transform(Z))
    assert repr(again.architecture_) == repr(fitted.architecture_)
    assert repr(again.architecture) == repr(architecture)


@pytest.mark.parametrize("architecture", OF_POINTS, ids=repr)
def test_networks_that_see_points_take_clouds(architecture):
    parameters = {"architecture": architecture, "grid_shape": None, "max_iter": 1}
    fitted = make_small(WormholeEmbedder, **parameters).fit(CLOUDS)
    Z = fitted.transform(CLOUDS)
    alone = np.concatenate([fitted.transform([cloud]) for cloud in CLOUDS])
    np.testing.assert_allclose(alone, Z, atol=1e-5 * np.abs(Z).max())


@pytest.mark.parametrize("architecture", OF_MASSES, ids=repr)
def test_networks_that_see_masses_refuse_clouds(architecture):
    small = make_small(WormholeEmbedder, architecture=architecture, grid_shape=None)
    with pytest.raises(TypeError, match=r"point clouds, expected histograms.*'slices'"):
        small.fit(CLOUDS)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"architecture": "auto"}, "Slices()"),
        ({"architecture": "auto", "ground_truth": ExactWasserstein(p=1)}, "Fourier()"),
        ({"architecture": "auto", "ground_truth": "gromov"}, "Fourier()"),
        ({"architecture": "deep_kenn"}, "DeepKENN(backbone=Slices())"),
        ({"architecture": "ode_kenn"}, "ODEKENN(lift=Slices(widths=()))"),
        ({"architecture": DeepKENN("fourier")}, "DeepKENN(backbone=Fourier())"),
        ({"architecture": Slices((8,))}, "Slices(widths=(8,))"),
    ],
)
def test_what_was_chosen_is_an_attribute(parameters, expected):
    small = make_small(WormholeEmbedder, grid_shape=None, max_iter=1, **parameters)
    before = repr(small)
    assert repr(small.fit(CLOUDS).architecture_) == expected
    assert repr(small) == before
    assert not hasattr(clone(small), "architecture_")


def test_what_auto_is_differs_by_class(digits):
    truth = ExactWasserstein(p=1)
    for embedder, expected in zip(EMBEDDERS, (Dense, Dense, Fourier), strict=True):
        small = make_small(
            embedder, architecture="auto", ground_truth=truth, max_iter=1
        )
        assert type(small.fit(digits[0]).architecture_) is expected


def test_names_are_objects_with_defaults():
    """And all that a module exports has a name."""
    for names, module in (
        (ARCHITECTURES, architectures),
        (DECODERS, architectures),
        (SCHEMES, labels),
    ):
        for name, kind in names.items():
            assert kind.__name__ in module.__all__
            words = kind.__name__.removesuffix("Decoder").lower()
            assert name.replace("_", "") == words
    tried = {type(architecture) for architecture in (*OF_POINTS, *OF_MASSES)}
    assert tried == set(ARCHITECTURES.values())
    text = WormholeEmbedder.__doc__.split("    decoder : ")[0]
    assert all(f'`"{name}"`' in text for name in ARCHITECTURES)
    bases = {Architecture, Decoder, Space}
    listed = {*ARCHITECTURES.values(), *DECODERS.values(), *bases}
    assert listed == {getattr(architectures, name) for name in architectures.__all__}


@pytest.mark.parametrize(
    "value",
    [kind() for kind in (*ARCHITECTURES.values(), *DECODERS.values())]
    + [kind() for kind in SCHEMES.values()]
    + [ODEKENN(Convolutional((3,)), n_nodes=7), Doubling(0.1)],
    ids=repr,
)
def test_they_are_parameters_of_scikit_learn(value):
    copy = clone(value)
    assert copy is not value
    assert repr(copy) == repr(value)
    known = {**vars(architectures), **vars(labels)}
    assert repr(eval(repr(value), known)) == repr(value)
    parameters = value.get_params(deep=False)
    assert type(value)._parameter_constraints.keys() == parameters.keys()
    assert repr(type(value)(**parameters)) == repr(value)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"architecture": Slices}, ValueError, "'architecture' parameter .* instance"),
        ({"architecture": "mlp"}, ValueError, "'architecture' parameter of"),
        ({"decoder": Slices()}, ValueError, "'decoder' parameter of"),
        ({"labels": "all"}, ValueError, "'labels' parameter of"),
        ({"architecture": Slices("wide")}, ValueError, "'widths' parameter of Slices"),
        ({"architecture": Slices(64)}, ValueError, r"Write a tuple, such as widths="),
        ({"architecture": Slices((True,))}, ValueError, "Got widths="),
        ({"architecture": DeepKENN(ODEKENN())}, ValueError, "Got backbone=ODEKENN"),
        ({"architecture": DeepKENN(DeepSets(n_layers=0))}, ValueError, "'n_layers'"),
        ({"decoder": HistogramDecoder(0.0)}, ValueError, "'weight' parameter of"),
        ({"labels": Blocks(1)}, ValueError, "'block_size' parameter of Blocks"),
        (
            {"architecture": Dense((8,)), "decoder": "cloud"},
            ValueError,
            "Got decoder=CloudDecoder.* sees points",
        ),
        (
            {"decoder": Courty2018Decoder(), "grid_shape": None},
            ValueError,
            "Got decoder=Courty2018Decoder.* two dimensions",
        ),
    ],
)
def test_what_does_not_fit_is_refused(parameters, error, message, digits):
    small = make_small(WormholeEmbedder, max_iter=1, **parameters)
    with pytest.raises(error, match=message):
        small.fit(digits[0])


class Bad(Slices):
    def make_stages(self, n_in, n_out, space):
        return self.widths(n_in, n_out)


@pytest.mark.parametrize(
    "layers",
    [
        lambda n_in, n_out: ([nn.Linear(n_in, n_out + 1)], [n_out + 1]),
        lambda n_in, n_out: ([nn.Linear(n_in, n_out + 1)], [n_out]),
        lambda n_in, n_out: ([nn.Linear(n_in, n_out), nn.SiLU()], [n_out, n_out]),
        lambda n_in, n_out: ([nn.Linear(n_in, n_out, bias=False)], [n_out]),
        lambda n_in, n_out: ([nn.SiLU(), nn.Linear(n_in, n_out)], [n_out]),
        lambda n_in, n_out: ([nn.Linear(n_in, 9), nn.Linear(9, n_out)], [8, n_out]),
    ],
)
def test_layers_that_are_not_as_they_should_be(layers):
    space = Space(2, 8, None, None, exact_mean=False, by_isometry=False)
    for architecture in (Bad(layers), DeepKENN(Bad(layers), layers="last")):
        with pytest.raises(ValueError, match="with a bias and 8 features"):
            architecture.make_encoder(16, space)


def test_sizes_of_what_has_no_hidden_layers(digits):
    architecture = DeepKENN(Slices(()), n_parameters=9_000)
    with pytest.raises(ValueError, match="expected hidden sizes to scale"):
        make_small(KuratowskiEmbedder, architecture=architecture).fit(digits[0])


@pytest.mark.parametrize("architecture", OF_POINTS, ids=repr)
def test_clouds_are_decoded(architecture, digits):
    parameters = {"architecture": architecture, "decoder": "cloud", "max_iter": 1}
    fitted = make_small(WormholeEmbedder, **parameters).fit(digits[0][:60])
    clouds = fitted.inverse_transform(fitted.transform(digits[1][:5]))
    assert clouds.shape == (5, fitted.decoder_.n_points, 2)


def test_a_decoder_of_histograms_refuses_clouds():
    small = make_small(WormholeEmbedder, decoder="histogram", grid_shape=None)
    with pytest.raises(TypeError, match=r"Got decoder=Hist.* decoder='cloud' or None"):
        small.fit(CLOUDS)


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [(Slices((8,)), HistogramDecoder), (Courty2018(), Courty2018Decoder)],
)
def test_the_decoder_that_fits(architecture, expected, digits):
    parameters = {"architecture": architecture, "decoder": "auto", "max_iter": 1}
    fitted = make_small(WormholeEmbedder, **parameters).fit(digits[0])
    assert type(fitted.decoder_) is expected
    assert fitted.inverse_transform(fitted.transform(digits[1])).shape == (100, 64)


def test_a_search_over_architectures_of_three_papers(digits, tmp_path, monkeypatch):
    """Labels are solved once per fold, whatever learns them."""
    solved, original = [], ExactWasserstein._solve

    def spy(*args, **kwargs):
        solved.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(ExactWasserstein, "_solve", spy)
    embedder = make_small(
        WormholeEmbedder, labels=Pairs(), memory=str(tmp_path), max_iter=1
    )
    grid = {"architecture": [OF_POINTS[0], ODEKENN(widths=(8,)), OF_POINTS[3]]}
    common = {"cv": 2, "refit": False, "error_score": "raise", "scoring": constant}
    # Derivatives are not for the learned layers of the last.
    embedder.set_params(gradient_weight=0.0)
    search = GridSearchCV(embedder, grid, **common).fit(digits[0])
    assert len(search.cv_results_["params"]) == 3
    n_first = len(solved)
    assert n_first == 2 * (100 + 10)
    nested = {"architecture": [Slices()], "architecture__widths": [(8,), (8, 8)]}
    GridSearchCV(embedder, nested, **common).fit(digits[0])
    assert len(solved) == n_first


def constant(embedder, X, y=None):
    return 0.0


def test_labels_by_name_and_object_are_the_same(digits):
    for name, scheme in (("blocks", Blocks()), ("in_batch", InBatch())):
        fits = [
            make_small(WormholeEmbedder, labels=how, max_iter=1).fit(digits[0])
            for how in (name, scheme)
        ]
        assert_array_equal(*(fit.transform(digits[1]) for fit in fits))


def test_sizes_may_be_numbers_of_numpy(digits):
    for widths in (np.array([8, 4]), [np.int64(8), 4]):
        small = make_small(WormholeEmbedder, architecture=Slices(widths), max_iter=1)
        assert small.fit(digits[0]).n_parameters_ == 256 * 8 + 8 + 36 + 75 + 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"architecture": Slices((0,))},
        {"architecture": SetTransformer(point_width=10)},
        {"architecture": ODEKENN(widths=())},
        {"architecture": DeepKENN(n_parameters=3)},
        {"decoder": HistogramDecoder(widths=(0,))},
        {"n_maps": 5, "ground_truth": ExactWasserstein(p=1)},
    ],
)
def test_errors_come_before_the_first_solve(parameters, digits, monkeypatch):
    def solve(*args, **kwargs):
        raise AssertionError("solved")

    monkeypatch.setattr(ExactWasserstein, "_solve", solve)
    with pytest.raises(ValueError, match="^Got "):
        make_small(WormholeEmbedder, **parameters).fit(digits[0])


def test_what_was_trained_cannot_be_changed_from_outside(digits):
    fitted = make_small(DeepWassersteinEmbedder, decoder="auto", max_iter=1)
    fitted.fit(digits[0])
    fitted.architecture_.set_params(widths=(3,))
    fitted.decoder_.set_params(weight=3.0)
    assert fitted.architecture_.widths == (64,)
    assert fitted.decoder_.weight == 0.005


@pytest.mark.parametrize(
    ("given", "later", "expected"),
    [
        (HistogramDecoder(), HistogramDecoder(5.0, sparsity_weight=1.0), (5.0, 1.0)),
        (HistogramDecoder(), None, (0.005, 0.0)),
        ("auto", HistogramDecoder(5.0, widths=(3,)), (5.0, 0.0)),
    ],
)
def test_going_on_takes_new_weights_of_the_decoder(given, later, expected, digits):
    """And no other network: widths stay, with a warning."""
    embedder = make_small(DeepWassersteinEmbedder, decoder=given, warm_start=True)
    embedder.fit(digits[0]).set_params(decoder=later)
    if type(later) is type(given):
        embedder.fit(digits[0])
    else:
        with pytest.warns(UserWarning, match=r"Got decoder=\w+.* it stays as it is"):
            embedder.fit(digits[0])
    decoder = embedder.module_.decoder
    assert (decoder.weight, decoder.sparsity_weight) == expected
    made = embedder.decoder_
    assert (made.weight, made.sparsity_weight, made.widths) == (*expected, (512, 512))


def test_going_on_with_another_network_is_named(digits, tmp_path):
    embedder = make_small(WormholeEmbedder, warm_start=True, max_iter=1)
    embedder.fit(digits[0]).fit(digits[0]).save(tmp_path / "file")
    again = WormholeEmbedder.load(tmp_path / "file")
    for fitted in (embedder, again):
        fitted.set_params(architecture__widths=(3,), n_components=7, exact_mean=False)
        expected = r"n_components=7, architecture=Slices\(w.*, exact_mean=False in"
        with pytest.warns(UserWarning, match=expected):
            fitted.partial_fit(digits[0])
        assert fitted.transform(digits[1]).shape == (100, 17)


def test_a_decoder_of_masses_does_not_learn_other_bins(digits):
    X = as_measures(digits[0][:40, :20], support=100 + np.arange(40.0).reshape(20, 2))
    for decoder, goes_on in ((None, True), ("cloud", True), ("histogram", False)):
        embedder = make_small(DeepWassersteinEmbedder, decoder=decoder, max_iter=1)
        embedder.fit(digits[0])
        if goes_on:
            embedder.partial_fit(X)
        else:
            with pytest.raises(ValueError, match="bins other than .* decoder="):
                embedder.partial_fit(X)
        assert embedder.transform(X).shape == (40, 17)


class Pooled(Slices):
    """Of a user: its parameter has a name that Kuratowski networks have too."""

    _parameter_constraints = {"aggregation": [str]}

    def __init__(self, aggregation="mean"):
        self.aggregation = aggregation

    def make_stages(self, n_in, n_out, space):
        norm = nn.Sequential(nn.LayerNorm(n_in), nn.BatchNorm1d(n_in))
        return [norm, nn.Linear(n_in, n_out)], [n_in, n_out]


def test_networks_of_users(digits, tmp_path):
    for architecture in (Pooled(), DeepKENN(Pooled())):
        parameters = {"architecture": architecture, "max_iter": 1}
        fitted = make_small(WormholeEmbedder, **parameters).fit(digits[0])
        assert fitted.transform(digits[1]).shape[0] == 100
        with pytest.raises(TypeError, match="a file holds no code. Use pickle"):
            fitted.save(tmp_path / "file")
    with pytest.raises(TypeError, match="abstract"):
        Architecture()


def test_hidden_layers_grow_to_the_number_of_weights(digits):
    architecture = DeepKENN(Slices((16, 8)), n_parameters=50_000)
    small = make_small(WormholeEmbedder, architecture=architecture, max_iter=1)
    fitted = small.fit(digits[0])
    assert 0.98 * 50_000 < fitted.n_parameters_ <= 50_000
    wide, narrow = fitted.architecture_.backbone.widths
    assert wide == pytest.approx(2 * narrow, abs=1)
    assert fitted.architecture_.n_parameters is None
    assert repr(clone(small).fit(digits[0]).architecture_) == repr(fitted.architecture_)
