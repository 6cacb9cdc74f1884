"""What a measure is: histograms on a shared support, or weighted point clouds.

The one place that reads user input. Everything above works with the two collections
defined here and never checks again.
"""

from ._anndata import clouds_from_anndata, niches_from_anndata
from ._collections import Histograms, PointClouds, grid_support
from ._convert import as_measures, clouds_from_groups
from ._niches import clouds_from_neighbors
from ._reading import MeasureReaderMixin
from ._sparse import SparseHistograms
from ._thinning import thin_clouds
from ._views import CloudView
from .layout import is_collection_of_clouds

__all__ = [
    "CloudView",
    "Histograms",
    "MeasureReaderMixin",
    "PointClouds",
    "SparseHistograms",
    "as_measures",
    "clouds_from_anndata",
    "clouds_from_groups",
    "clouds_from_neighbors",
    "grid_support",
    "is_collection_of_clouds",
    "niches_from_anndata",
    "thin_clouds",
]
