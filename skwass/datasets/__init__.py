"""Data to try the package on: fetched, or made with known Wasserstein distances."""

from ._fetch import fetch_fashion_mnist, fetch_mnist
from ._make import make_gaussian_clouds, make_translated

__all__ = [
    "fetch_fashion_mnist",
    "fetch_mnist",
    "make_gaussian_clouds",
    "make_translated",
]
