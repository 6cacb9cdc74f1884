"""Labels that embedders learn from: which pairs, and what their distances are.

The parameter `labels` of embedders that train a network takes an object of these, or
its name.
"""

from .schemes import Blocks, Doubling, InBatch, LabelScheme, Pairs

__all__ = ["Blocks", "Doubling", "InBatch", "LabelScheme", "Pairs"]
