"""From an architecture and a decoder to a network."""

from typing import Any

import torch
from torch import nn

from ..measures import Histograms, PointClouds
from ..nn.network import Network
from ._base import Architecture, Space


def space_of(
    measures: Histograms | PointClouds,
    n_components: int,
    exact_mean: bool,
    by_isometry: bool,
    private_axis: bool,
) -> Space:
    """Return what is known when a network is made: fields as in :class:`Space`."""
    n_bins = grid_shape = None
    if isinstance(measures, Histograms):
        n_bins, grid_shape = measures.n_features, measures.grid_shape
    return Space(
        dim=measures.dim,
        n_components=n_components,
        n_bins=n_bins,
        grid_shape=grid_shape,
        exact_mean=exact_mean,
        by_isometry=by_isometry,
        private_axis=private_axis,
    )


def make_network(architecture: Architecture, decoder: Any, **space: Any) -> Network:
    """Return an empty network of an architecture, to be built and fitted.

    Parameters
    ----------
    architecture : Architecture
        With nothing left to choose.
    decoder : Decoder or None
        Likewise.
    **space : object
        Fields of :class:`Space`.
    """
    where = Space(**space)
    inputs = architecture.make_inputs(where)
    points = architecture.make_points(inputs)
    n_in = inputs.size + (0 if points is None else points.width)
    encoder: Any = architecture.make_encoder(n_in, where)
    made = None
    if decoder is not None:
        made = decoder.make(sum(encoder.blocks), where)
    return Network(inputs, points, encoder, made, where.private_axis)


def check_network(settings: dict) -> Network:
    """Return a network of settings of `make_network`, without numbers, or raise."""
    with torch.device("meta"):
        return make_network(**settings)


def count_weights(architecture: Architecture, space: Space) -> int:
    """Return how many numbers a network of an architecture learns, decoder excluded."""
    settings = {"architecture": architecture, "decoder": None, **vars(space)}
    return n_learned(check_network(settings))


def n_learned(module: nn.Module) -> int:
    """Return how many numbers a module learns."""
    return sum(parameter.numel() for parameter in module.parameters())
