"""What networks see of measures: fixed rows, computed once for all."""

import torch

from ..measures import Histograms
from ..nn.inputs import CHUNK_ROWS
from ..nn.ragged import in_order
from ..nn.wormhole import CHUNK_CLOUDS
from ._checks import to_tensor


@torch.no_grad()
def fixed_rows(inputs, measures, device, *, by_bins):
    """Return rows of :class:`CloudInput` of all measures: [N, .].

    With `by_bins`, those of histograms by matrix products, as `transform` does it.
    """
    inputs.to(device)
    if isinstance(measures, Histograms) and by_bins:
        support = moved_support(inputs, measures, device)
        masses = to_tensor(measures.masses, device).split(CHUNK_ROWS)
        return torch.cat([inputs.of_histograms(support, x) for x in masses])
    parts = []
    for clouds in chunks(measures):
        batches = inputs.batches(clouds, device)
        parts.append(in_order(batches, [inputs(batch) for batch in batches]))
    return torch.cat(parts)


@torch.no_grad()
def knots(inputs, measures, device):
    """Return quantiles of centred measures on lines, and what of them lies below."""
    cells, parts = inputs.pooled, []
    if isinstance(measures, Histograms):
        support = moved_support(inputs, measures, device)
        for masses in to_tensor(measures.masses, device).split(CHUNK_ROWS):
            means = masses @ support
            parts.append(cells.knots_of_histograms(support, masses, means))
    else:
        for clouds in chunks(measures):
            batches = inputs.batches(clouds, device)
            found = [cells.knots(batch.points, batch.masses) for batch in batches]
            parts.append([in_order(batches, part) for part in zip(*found, strict=True)])
    return tuple(torch.cat(part) for part in zip(*parts, strict=True))


def moved_support(inputs, measures, device):
    """Return positions of bins relative to the center, which are then rounded."""
    center = inputs.center.double().cpu().numpy()
    return to_tensor(measures.support - center, device)


def chunks(measures):
    """Yield all measures as lists of clouds."""
    for start in range(0, len(measures), CHUNK_CLOUDS):
        stop = min(start + CHUNK_CLOUDS, len(measures))
        yield [measures.measure(i) for i in range(start, stop)]
