"""Small checks and conversions that trained embedders share."""

import numpy as np
import torch


def has_decoder(embedder):
    """Whether there is a decoder or, before `fit`, will be."""
    if hasattr(embedder, "module_"):
        has_one = embedder.module_.decoder is not None
    else:
        has_one = embedder.reconstruction_weight > 0
    if not has_one:
        raise AttributeError(
            "Got a network without a decoder, expected one for inverse_transform. Set "
            "reconstruction_weight > 0 before a fit from scratch."
        )
    return True


def check_widths(widths, fewest):
    """Return the widths of hidden layers, checked.

    Parameters
    ----------
    widths : array-like of int
        Given by the user.
    fewest : int
        How many there must be at least.
    """
    checked = tuple(np.asarray(widths).ravel().tolist())
    if len(checked) < fewest or not all(
        type(width) is int and width > 0 for width in checked
    ):
        one = "one or more " if fewest else ""
        raise ValueError(
            f"Got widths={widths!r}, expected {one}positive integers. Use None for the "
            "default."
        )
    return checked


def on_cpu(state):
    """Return a nest of dicts and lists with its tensors on the CPU."""
    if isinstance(state, torch.Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: on_cpu(value) for key, value in state.items()}
    return [on_cpu(value) for value in state] if isinstance(state, list) else state
