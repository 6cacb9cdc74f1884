"""How good an embedding is, and how good it could be."""

from ._report import EmbeddingReport, embedding_report
from ._variational import VariationalReport, variational_report
from .certificate import StressCertificate, stress_certificate

__all__ = [
    "EmbeddingReport",
    "StressCertificate",
    "VariationalReport",
    "embedding_report",
    "stress_certificate",
    "variational_report",
]
