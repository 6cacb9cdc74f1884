"""Saving to one file without code, and loading."""

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.exceptions import NotFittedError

from skwass import DeepWassersteinEmbedder
from skwass.architectures import Convolutional
from skwass.measures import grid_support
from skwass.ot import ExactWasserstein


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
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["skwass"])
    header["estimator"] = "SomethingElse"
    save_file(tensors, path, metadata={"skwass": json.dumps(header)})
    with pytest.raises(ValueError, match=r"Call SomethingElse.load\(path\)"):
        DeepWassersteinEmbedder.load(path)
