"""Modules with weights drawn from a given generator; the global one is not touched."""

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import nn

_NORMS = nn.LayerNorm | nn.RMSNorm | nn.GroupNorm | nn.BatchNorm1d | nn.BatchNorm2d


@runtime_checkable
class SelfInitialized(Protocol):
    """Layers with weights of their own, which they draw."""

    def initialize(self, generator: torch.Generator) -> None: ...


def build(factory: Callable[[], nn.Module], generator: torch.Generator) -> nn.Module:
    """Make a module on the CPU without a draw from torch's global generator.

    Parameters
    ----------
    factory : callable
        Makes the module; called under the meta device, so it may not read tensors.
    generator : torch.Generator
        Source of the initial weights.

    Returns
    -------
    module : nn.Module
    """
    with torch.device("meta"):
        module = factory()
    # Masses come in float32, whatever torch's default is.
    module.to_empty(device="cpu").float()
    for layer in module.modules():
        _initialize(layer, generator)
    return module


def _initialize(layer: nn.Module, generator: torch.Generator) -> None:
    """Draw the weights as torch's own layers do: uniform in +-1 / sqrt(fan in)."""
    if isinstance(layer, nn.Linear | nn.Conv2d):
        bound = 1 / math.sqrt(layer.weight[0].numel())
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        if layer.bias is not None:
            nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    elif isinstance(layer, SelfInitialized):
        layer.initialize(generator)
    elif isinstance(layer, _NORMS):  # ones and zeros
        layer.reset_parameters()
    elif any(True for _ in layer.parameters(recurse=False)):
        raise NotImplementedError(
            f"Got a layer of type {type(layer).__name__}, expected Linear, Conv2d or "
            "a normalisation. Give it a method initialize(generator), which draws its "
            "weights."
        )
