"""Architectures by name, those that a Kuratowski network can be made of."""

from typing import Any

from ._base import Architecture
from ._clouds import DeepSets, Fourier, SetTransformer, Slices
from ._histograms import Convolutional, Courty2018, Dense
from ._transport import TransportMaps

PLAIN: dict[str, Any] = {
    "slices": Slices,
    "dense": Dense,
    "convolutional": Convolutional,
    "courty2018": Courty2018,
    "fourier": Fourier,
    "deep_sets": DeepSets,
    "set_transformer": SetTransformer,
    "transport_maps": TransportMaps,
}


def as_object(value: Any, names: dict[str, Any]) -> Any:
    """Return the object of a name, or an object as it is, its parameters checked.

    Parameters
    ----------
    value : str or object
        Given by the user.
    names : dict
        Classes by name.
    """
    made = names[value]() if isinstance(value, str) else value
    made._validate_params()
    return made


def as_plain(value: Any, parameter: str) -> Architecture:
    """Return an architecture of one feature map, its parameters checked."""
    made = as_object(value, PLAIN)
    if made.has_feature_maps:
        raise ValueError(
            f"Got {parameter}={made}, expected an architecture that is not itself a "
            f"Kuratowski network. Set {parameter}='auto'."
        )
    return made
