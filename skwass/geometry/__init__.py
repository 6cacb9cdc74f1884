"""Barycenters, geodesics, principal directions, clusters and archetypes of measures."""

from ._archetypes import WassersteinArchetypes
from ._barycenters import barycenter, geodesic
from ._clusters import WassersteinKMeans
from ._principal import PrincipalGeodesics

__all__ = [
    "PrincipalGeodesics",
    "WassersteinArchetypes",
    "WassersteinKMeans",
    "barycenter",
    "geodesic",
]
