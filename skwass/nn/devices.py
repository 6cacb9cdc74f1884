"""Where tensors live."""

import warnings

import torch


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
