"""From what a user gives to an architecture and a decoder with nothing left open."""

from typing import Any

from sklearn.base import clone
from sklearn.utils._param_validation import StrOptions

from ..measures import Histograms, PointClouds
from ._base import Architecture
from ._decoders import CloudDecoder, Courty2018Decoder, Decoder, HistogramDecoder
from ._kuratowski import ODEKENN, DeepKENN
from ._names import PLAIN, as_object

ARCHITECTURES: dict[str, Any] = {**PLAIN, "deep_kenn": DeepKENN, "ode_kenn": ODEKENN}
DECODERS: dict[str, Any] = {
    "histogram": HistogramDecoder,
    "courty2018": Courty2018Decoder,
    "cloud": CloudDecoder,
}
ARCHITECTURE_CONSTRAINT = [StrOptions({"auto", *ARCHITECTURES}), Architecture]
DECODER_CONSTRAINT = [StrOptions({"auto", *DECODERS}), Decoder, None]


def choose_architecture(
    given: Any, measures: Histograms | PointClouds, default: str
) -> Architecture:
    """Return an architecture with nothing left to choose.

    Parameters
    ----------
    given : str or Architecture
        By the user.
    measures : Histograms or PointClouds
        Training data.
    default : str
        Name of the architecture that `"auto"` is.

    Raises
    ------
    TypeError, ValueError
        If the architecture does not take such measures.
    """
    if isinstance(given, str) and given == "auto":
        given = default
    made = as_object(given, ARCHITECTURES).chosen(default)
    made.refuse(measures)
    return made.suited_to(measures)


def choose_decoder(
    given: Any, measures: Histograms | PointClouds, architecture: Architecture
) -> Decoder | None:
    """Return a decoder with nothing left to choose, or None.

    Parameters
    ----------
    given : str, Decoder or None
        By the user.
    measures : Histograms or PointClouds
        Training data.
    architecture : Architecture
        That it goes with.

    Raises
    ------
    TypeError, ValueError
        If it does not fit the measures or the architecture.
    """
    if given is None:
        return None
    if isinstance(given, str) and given == "auto":
        fitting = "histogram" if isinstance(measures, Histograms) else "cloud"
        given = architecture.own_decoder or fitting
    made = as_object(given, DECODERS)
    made.refuse(measures, architecture)
    return made.chosen(measures)


def retune(module: Any, given: Any) -> None:
    """Give the loss of an existing decoder the settings that are passed now.

    Parameters
    ----------
    module : Network
        Changed in place, if its decoder is of the kind that is given.
    given : str, Decoder or None
        By the user.
    """
    decoder = module.settings["decoder"]
    if not isinstance(given, Decoder) or type(given) is not type(decoder):
        return
    given._validate_params()
    settings = {name: getattr(given, name) for name in decoder.of_loss}
    for name, value in settings.items():
        setattr(module.decoder, name, value)
    tuned = clone(decoder).set_params(**settings)
    module.settings = {**module.settings, "decoder": tuned}
