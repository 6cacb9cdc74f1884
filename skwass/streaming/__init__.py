"""Embeddings of more measures than fit into memory, or into one process."""

from ._transform import transform_chunks

__all__ = ["transform_chunks"]
