"""Statements of the literature on convolutions, as checks that run on this machine; see `verify`."""

from jaxconv.claims.by_dtype import Reports
from jaxconv.claims.proofs import STATEMENTS, ProofReport, ProofRow, prove
from jaxconv.claims.report import Report, Row
from jaxconv.claims.verification import ALL_DTYPES, CLAIMS, verify

__all__ = [
    "ALL_DTYPES",
    "CLAIMS",
    "STATEMENTS",
    "ProofReport",
    "ProofRow",
    "Report",
    "Reports",
    "Row",
    "prove",
    "verify",
]
