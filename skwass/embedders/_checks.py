"""Small checks and conversions that trained embedders share."""

import torch


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
