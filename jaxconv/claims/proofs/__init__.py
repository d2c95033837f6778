"""Proofs of statements about sizes and positions, for all sizes; see `prove`."""

from jaxconv.claims.proofs import (
    composition,
    overlap,
    reads,
    receptive_fields,
    sizes,
    transposes,
    tried,
    words,
)
from jaxconv.claims.proofs.proving import prove
from jaxconv.claims.proofs.report import ProofReport, ProofRow
from jaxconv.claims.proofs.statement import STATEMENTS, Statement

# Importing a topic registers its statements, in this order.
TOPICS = (sizes, words, transposes, reads, receptive_fields, composition, overlap, tried)
_order = [topic.__name__ for topic in TOPICS]
_sorted = sorted(STATEMENTS.values(), key=lambda one: _order.index(one.check.__module__))
STATEMENTS.clear()
STATEMENTS.update({one.name: one for one in _sorted})

__all__ = ["STATEMENTS", "ProofReport", "ProofRow", "Statement", "prove"]
