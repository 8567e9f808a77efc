"""Searches over parameters that train many small nets at once."""

from __future__ import annotations

from .vectorized import VectorizedSearchCV

__all__ = ["VectorizedSearchCV"]
