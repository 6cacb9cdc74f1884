"""How good an embedding is, and how good it could be."""

from ._certificate import StressCertificate, stress_certificate
from ._report import EmbeddingReport, embedding_report

__all__ = [
    "EmbeddingReport",
    "StressCertificate",
    "embedding_report",
    "stress_certificate",
]
