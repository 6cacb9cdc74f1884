"""Networks that a user can choose: architectures and decoders.

Parameters `architecture` and `decoder` of embedders that train a network take an object
of these, or its name. They have parameters as estimators of scikit-learn do, so that a
search can set `architecture__widths`.
"""

from ._base import Architecture, Space
from ._clouds import DeepSets, Fourier, SetTransformer, Slices
from ._decoders import CloudDecoder, Courty2018Decoder, Decoder, HistogramDecoder
from ._histograms import Convolutional, Courty2018, Dense
from ._kuratowski import ODEKENN, DeepKENN
from ._transport import TransportMaps

__all__ = [
    "ODEKENN",
    "Architecture",
    "CloudDecoder",
    "Convolutional",
    "Courty2018",
    "Courty2018Decoder",
    "Decoder",
    "DeepKENN",
    "DeepSets",
    "Dense",
    "Fourier",
    "HistogramDecoder",
    "SetTransformer",
    "Slices",
    "Space",
    "TransportMaps",
]
