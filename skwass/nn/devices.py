"""Where tensors live, and how many go there at once."""

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

# Measures that go through a network at once, where no gradient is wanted.
CHUNK_ROWS = 4096


def to_tensor(array: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Return a copy of an array as a float32 tensor.

    In memory of torch, which is aligned: products of matrices round by alignment, and
    equal rows would get different bits.
    """
    copy = torch.empty(np.shape(array), dtype=torch.float32)
    np.copyto(copy.numpy(), array, casting="same_kind")
    return copy.to(device)


def by_chunks(
    function: Callable[[Tensor], Tensor], rows: np.ndarray, device: torch.device
) -> Tensor:
    """Map rows on a device, chunk by chunk, and bring them back: [n, .] -> [n, .]."""
    starts = range(0, len(rows), CHUNK_ROWS)
    chunks = (to_tensor(rows[k : k + CHUNK_ROWS], device) for k in starts)
    return torch.cat([function(chunk).cpu() for chunk in chunks])


@contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """Keep no gradients, and compute convolutions in float32 on a GPU too.

    cuDNN rounds to TF32 by default, which has three digits: an embedding would depend
    on its batch from the fourth digit on.
    """
    is_cuda = device.type == "cuda"
    with torch.inference_mode(), _Float32Convolutions() if is_cuda else nullcontext():
        yield


class _Float32Convolutions:
    """While anyone is inside, in any thread, cuDNN does not round; then as before."""

    _lock = threading.Lock()
    _n_inside = 0
    _before: Any = None

    def __enter__(self) -> None:
        cls = type(self)
        with cls._lock:
            if cls._n_inside == 0:
                owner, name, unrounded = self._setting()
                cls._before = getattr(owner, name)
                setattr(owner, name, unrounded)
            cls._n_inside += 1

    def __exit__(self, *error: object) -> None:
        cls = type(self)
        with cls._lock:
            cls._n_inside -= 1
            if cls._n_inside == 0:
                owner, name, _ = self._setting()
                setattr(owner, name, cls._before)

    @staticmethod
    def _setting() -> tuple[Any, str, Any]:
        """Return where torch keeps it, under which name, and what turns it off."""
        cudnn: Any = torch.backends.cudnn
        if hasattr(cudnn, "conv"):  # since torch 2.9, which refuses to mix the two
            return cudnn.conv, "fp32_precision", "ieee"
        return cudnn, "allow_tf32", False


def resolve_device(device: str, *, for_training: bool) -> torch.device:
    """Turn the parameter `device` of an estimator into a torch device.

    Only `"auto"` and `"cuda"` look for a GPU; `"cpu"` never creates a CUDA context.

    Parameters
    ----------
    device : str
        `"cpu"`, `"cuda"`, `"cuda:1"` ... or `"auto"`: CUDA where there is any.
    for_training : bool
        Without CUDA, training on `"cuda"` is an error; embedding falls back to the CPU,
        so that a model trained on a GPU opens anywhere.

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If the name is none that torch knows, or CUDA is asked for training and absent.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"Got device={device!r}, expected 'cpu', 'cuda', 'cuda:<number>' or "
            "'auto'. Use 'auto' for CUDA where there is any."
        ) from error
    if resolved.type == "cpu" or (
        torch.cuda.is_available() and (resolved.index or 0) < torch.cuda.device_count()
    ):
        return resolved
    if for_training:
        raise ValueError(
            f"Got device={device!r}, expected a device that torch finds here. Use "
            "device='auto', which trains on the CPU where there is no CUDA."
        )
    warnings.warn(
        f"Embedding on the CPU, since torch does not find device={device!r} here. "
        "Silence this with set_params(device='auto').",
        UserWarning,
        stacklevel=2,
    )
    return torch.device("cpu")
