"""Pooling of windows, its switches and its matrices."""

from jaxconv.operators.pooling.functions import avg_pool, lp_pool, max_pool
from jaxconv.operators.pooling.geometry import pool_geometry
from jaxconv.operators.pooling.matrix import pool_matrix
from jaxconv.operators.pooling.unpooling import unpool

__all__ = [
    "avg_pool",
    "lp_pool",
    "max_pool",
    "pool_geometry",
    "pool_matrix",
    "unpool",
]
