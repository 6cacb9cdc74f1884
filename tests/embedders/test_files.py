"""Saving to one file without code, and loading."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from skwass import (
    DeepWassersteinEmbedder,
    GaussianEmbedder,
    KuratowskiEmbedder,
    LinearOTEmbedder,
    SlicedWassersteinEmbedder,
    files,
)
from skwass.architectures import Convolutional
from skwass.measures import grid_support
from skwass.ot import ExactWasserstein

SUPPORT = np.asfortranarray(grid_support((8, 8)) @ [[1.0, 0.5], [0.0, 1.0]])


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"architecture": Convolutional((4,), (16,))},
        {"architecture": "courty2018"},
        {"grid_shape": None, "support": grid_support((8, 8))},
        {"ground_truth": ExactWasserstein(p=1), "decoder": None},
    ],
)
def test_a_loaded_embedder_is_the_saved_one(parameters, small, digits, tmp_path):
    path = tmp_path / "embedder.safetensors"
    embedder = small(max_iter=2, **parameters).fit(digits[0])
    embedder.save(path)
    again = DeepWassersteinEmbedder.load(path)
    np.testing.assert_array_equal(
        again.transform(digits[1]), embedder.transform(digits[1])
    )
    assert repr(again) == repr(embedder)
    assert again.loss_curve_ == embedder.loss_curve_
    assert again.validation_scores_ == embedder.validation_scores_
    assert again.n_features_in_ == 64
    assert again.score(digits[1]) == embedder.score(digits[1])
    again.partial_fit(digits[0])
    assert again.n_iter_ == 3


def test_names_of_features_are_kept(small, digits, tmp_path):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(digits[0], columns=[f"pixel{i}" for i in range(64)])
    path = tmp_path / "embedder.safetensors"
    small(max_iter=1).fit(X).save(path)
    again = DeepWassersteinEmbedder.load(path)
    assert list(again.feature_names_in_) == list(X.columns)
    again.transform(X)


def test_set_params_after_fit_does_not_change_what_is_saved(small, digits, tmp_path):
    path = tmp_path / "embedder.safetensors"
    embedder = small(max_iter=1).fit(digits[0])
    embedder.set_params(n_components=3, architecture="convolutional").save(path)
    again = DeepWassersteinEmbedder.load(path)
    assert again.transform(digits[1]).shape == (100, 17)


def test_what_cannot_be_saved_is_refused(small, digits, tmp_path):
    path = tmp_path / "embedder.safetensors"
    with pytest.raises(NotFittedError):
        small().save(path)
    embedder = small(max_iter=1).fit(digits[0])
    embedder.set_params(random_state=np.random.RandomState(0))
    with pytest.raises(TypeError, match="Got random_state=.* Use pickle"):
        embedder.save(path)


def test_foreign_files_are_refused(fitted, tmp_path):
    path = tmp_path / "embedder.safetensors"
    path.write_bytes(b"no safetensors at all")
    with pytest.raises(ValueError, match="Open a pickle with pickle"):
        DeepWassersteinEmbedder.load(path)
    with pytest.raises(OSError, match="Check that its folder is there"):
        fitted.save(tmp_path / "nowhere" / "embedder.safetensors")
    fitted.save(path)
    tensors = load_file(path)
    save_file(tensors, tmp_path / "plain.safetensors")
    with pytest.raises(ValueError, match="Write it with save"):
        DeepWassersteinEmbedder.load(tmp_path / "plain.safetensors")
    with pytest.raises(ValueError, match=r"Call DeepWassersteinEmbedder.load\(path\)"):
        KuratowskiEmbedder.load(path)
    with pytest.raises(ValueError, match="a folder, expected a file"):
        DeepWassersteinEmbedder.load(tmp_path)


def _parts(path):
    """Return what is in a file: its header, and its arrays."""
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["skwass"]), load_file(path)


def _write(path, header, tensors):
    """Write a file as a stranger may, whose hash is right."""
    text = json.dumps(header)
    metadata = {"skwass": text, "sha256": files._digest(text, tensors)}
    save_file(tensors, path, metadata=metadata)


@pytest.fixture
def saved(tmp_path):
    """Return a path, and an embedder that is saved there."""
    path = tmp_path / "embedder.safetensors"
    embedder = LinearOTEmbedder(grid_shape=(8, 8), random_state=0)
    embedder.fit(load_digits().data[:30]).save(path)
    return path, embedder


def test_whatever_byte_is_changed_is_found(saved):
    path, embedder = saved
    whole = path.read_bytes()
    rows = embedder.transform(load_digits().data[:3])
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 60, replace=False):
        changed = bytearray(whole)
        changed[place] ^= 1 << rng.integers(8)
        path.write_bytes(changed)
        with pytest.raises(ValueError, match="as it wrote it|in format") as caught:
            LinearOTEmbedder.load(path)
        assert len(str(caught.value)) <= 400
    for length in rng.choice(len(whole), 10, replace=False):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="expected a file"):
            LinearOTEmbedder.load(path)
    path.write_bytes(whole)
    again = LinearOTEmbedder.load(path).transform(load_digits().data[:3])
    np.testing.assert_array_equal(again, rows)


def test_arrays_that_are_swapped_are_found(saved):
    path, _ = saved
    header, tensors = _parts(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    first, second = "attributes.reference_points_", "attributes.support_"
    tensors[first], tensors[second] = tensors[second], tensors[first]
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ValueError, match="its content is not what was written"):
        LinearOTEmbedder.load(path)


@pytest.mark.parametrize(
    ("section", "change"),
    [
        ("parameters", {"nonsense": 3}),
        ("parameters", {"n_components": "three"}),
        ("parameters", {"ground_truth": {"object": "Path", "parameters": {}}}),
        ("attributes", {"memory": "folder"}),
        ("attributes", {"transform": 3}),
        ("attributes", {"n_features_in_": 70}),
        ("attributes", {"_center": {"array": "nowhere"}}),
    ],
)
def test_what_a_stranger_writes_is_refused_at_once(saved, section, change):
    path, _ = saved
    header, tensors = _parts(path)
    header[section] |= change
    _write(path, header, tensors)
    with pytest.raises(ValueError, match="expected a file that save"):
        LinearOTEmbedder.load(path)


def test_sections_are_there_and_not_too_deep(saved):
    path, _ = saved
    header, tensors = _parts(path)
    for other in ({}, [], header | {"attributes": []}):
        _write(path, other, tensors)
        with pytest.raises(ValueError, match="Got path="):
            LinearOTEmbedder.load(path)
    text = json.dumps(header).replace(
        '"n_components": null', f'"n_components": {"[" * 100_000}'
    )
    save_file(
        tensors, path, metadata={"skwass": text, "sha256": files._digest(text, tensors)}
    )
    with pytest.raises(ValueError, match="expected a file that save"):
        LinearOTEmbedder.load(path)


def test_a_folder_of_pickles_in_a_file_is_not_believed(saved):
    path, _ = saved
    header, tensors = _parts(path)
    header["parameters"]["memory"] = "folder"
    _write(path, header, tensors)
    assert LinearOTEmbedder.load(path).memory is None


@pytest.mark.parametrize(
    "architecture",
    [
        {"object": "Slices", "parameters": {"widths": [10**9]}},
        {"object": "Slices", "parameters": {"widths": [30_000, 30_000]}},
        {"object": "Dense", "parameters": {"widths": [4] * 20_000}},
    ],
)
def test_a_network_of_other_sizes_takes_no_memory(fitted, tmp_path, architecture):
    path = tmp_path / "embedder.safetensors"
    fitted.save(path)
    header, tensors = _parts(path)
    header["network"]["architecture"] = architecture
    _write(path, header, tensors)
    with pytest.raises(ValueError, match="weights"):
        DeepWassersteinEmbedder.load(path)


def test_files_of_the_format_before_are_read(saved):
    path, embedder = saved
    header, tensors = _parts(path)
    header["format"] = 7
    del header["columns_first"]
    save_file(tensors, path, metadata={"skwass": json.dumps(header)})
    X = load_digits().data[:3]
    rows = LinearOTEmbedder.load(path).transform(X)
    np.testing.assert_allclose(rows, embedder.transform(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "kind", [SlicedWassersteinEmbedder, LinearOTEmbedder, GaussianEmbedder]
)
@pytest.mark.parametrize("bins", [{"grid_shape": (8, 8)}, {"support": SUPPORT}])
def test_last_bits_come_back(kind, bins, tmp_path):
    X = load_digits().data[:40]
    embedder = kind(**bins).fit(X)
    embedder.save(tmp_path / "file")
    again = kind.load(tmp_path / "file")
    assert again.transform(X).tobytes() == embedder.transform(X).tobytes()


def test_parameters_of_numpy_and_metrics_as_matrices_are_kept(tmp_path):
    X = load_digits().data[:20]
    metric = cdist(SUPPORT, SUPPORT, "cityblock")
    truth = ExactWasserstein(p=np.int64(1), ground_metric=metric)
    embedder = SlicedWassersteinEmbedder(
        n_projections=np.int64(5), ground_truth=truth, random_state=np.int64(0)
    )
    embedder.fit(X).save(tmp_path / "file")
    again = SlicedWassersteinEmbedder.load(tmp_path / "file")
    np.testing.assert_array_equal(again.ground_truth.ground_metric, metric)
    assert again.score(X) == embedder.score(X)
    embedder.set_params(ground_truth=ExactWasserstein(ground_metric=cdist))
    with pytest.raises(TypeError, match="Got ground_truth.ground_metric=<function"):
        embedder.save(tmp_path / "file")
