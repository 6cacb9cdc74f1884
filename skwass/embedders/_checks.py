"""Small checks and conversions that trained embedders share."""

import warnings

import torch
from sklearn.base import clone

from ..architectures import Decoder

# Parameters that a network is made of.
_OF_NETWORK = "n_components", "architecture", "exact_mean", "private_axis", "decoder"


def has_decoder(embedder):
    """Whether there is a decoder or, before `fit`, will be."""
    if hasattr(embedder, "module_"):
        has_one = embedder.module_.decoder is not None
    else:
        has_one = embedder.decoder is not None
    if not has_one:
        raise AttributeError(
            "Got a network without a decoder, expected one for inverse_transform. Set "
            "decoder='auto' before a fit from scratch."
        )
    return True


def on_cpu(state):
    """Return a nest of dicts and lists with its tensors on the CPU."""
    if isinstance(state, torch.Tensor):
        return state.cpu()
    if isinstance(state, dict):
        return {key: on_cpu(value) for key, value in state.items()}
    return [on_cpu(value) for value in state] if isinstance(state, list) else state


def network_parameters(parameters):
    """Return those parameters of an embedder that make a network, printed."""
    parts = [parameters[name] for name in _OF_NETWORK]
    return [
        # What its loss may change is left out.
        repr(clone(part).set_params(**dict.fromkeys(part.of_loss)))
        if isinstance(part, Decoder)
        else repr(part)
        for part in parts
    ]


def warn_of_changes(made_with, parameters):
    """Warn of parameters that a fit which goes on cannot heed."""
    parts = zip(_OF_NETWORK, made_with, network_parameters(parameters), strict=True)
    changed = [f"{name}={new}" for name, old, new in parts if new != old]
    if changed:
        warnings.warn(
            f"Got {', '.join(changed)} in a fit that goes on, expected the values "
            "that the network was made with: it stays as it is. Set "
            "warm_start=False for a fit from scratch.",
            UserWarning,
            stacklevel=6,
        )
