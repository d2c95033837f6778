"""What the sources of this library say, as checks that run on your machine."""

from jaxconv.claims.by_dtype import Reports
from jaxconv.claims.report import Report, Row
from jaxconv.claims.verification import ALL_DTYPES, CLAIMS, verify

__all__ = [
    "ALL_DTYPES",
    "CLAIMS",
    "Report",
    "Reports",
    "Row",
    "verify",
]
