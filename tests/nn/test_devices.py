"""Names of devices, with and without CUDA."""

import warnings
from contextlib import ExitStack

import pytest
import torch

from skwass.nn.devices import _Float32Convolutions, inference, resolve_device


@pytest.fixture(params=[False, True], ids=["no_cuda", "cuda"])
def has_cuda(request, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: request.param)
    return request.param


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("for_training", [False, True])
def test_cpu_does_not_look_for_cuda(monkeypatch, for_training):
    def fail():
        raise AssertionError("looked for CUDA")

    for name in ("is_available", "device_count", "init", "_lazy_init"):
        monkeypatch.setattr(torch.cuda, name, fail)
    device = resolve_device("cpu", for_training=for_training)
    assert device == torch.device("cpu")


@pytest.mark.parametrize("for_training", [False, True])
def test_auto_takes_cuda_where_there_is_any(has_cuda, for_training):
    with warnings.catch_warnings(action="error"):
        device = resolve_device("auto", for_training=for_training)
    assert device.type == ("cuda" if has_cuda else "cpu")


@pytest.mark.usefixtures("no_cuda")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_training_on_absent_cuda_is_refused(name):
    with pytest.raises(ValueError, match=f"Got device='{name}'.*device='auto'"):
        resolve_device(name, for_training=True)


@pytest.mark.usefixtures("no_cuda")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_embedding_on_absent_cuda_falls_back_with_a_warning(name):
    with pytest.warns(UserWarning, match=f"on the CPU.*'{name}'.*device='auto'"):
        device = resolve_device(name, for_training=False)
    assert device == torch.device("cpu")


@pytest.mark.parametrize("for_training", [False, True])
@pytest.mark.parametrize("name", ["gpu", "", "CUDA", "cuda:one", "cpu gpu"])
def test_unknown_names_are_refused(has_cuda, name, for_training):
    with pytest.raises(ValueError, match=f"Got device='{name}', expected 'cpu'"):
        resolve_device(name, for_training=for_training)


def rounding():
    owner, name, _ = _Float32Convolutions._setting()
    return getattr(owner, name)


def test_convolutions_are_rounded_in_training_alone():
    """Whoever leaves last, in whatever order, puts back what was."""
    before, first, second = rounding(), ExitStack(), ExitStack()
    first.enter_context(_Float32Convolutions())
    second.enter_context(_Float32Convolutions())
    first.close()
    assert rounding() in ("ieee", False)
    second.close()
    assert rounding() == before
    with inference(torch.device("cuda")):
        assert torch.is_inference_mode_enabled()
        assert rounding() in ("ieee", False)
    with pytest.raises(ZeroDivisionError), inference(torch.device("cuda")):
        1 / 0  # noqa: B018
    assert rounding() == before


def test_no_setting_of_cudnn_is_touched_on_the_cpu(monkeypatch):
    monkeypatch.setattr(_Float32Convolutions, "_setting", None)
    with inference(torch.device("cpu")):
        assert torch.is_inference_mode_enabled()
