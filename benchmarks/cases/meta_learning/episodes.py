"""What an estimator draws its episodes from, kept for those who train beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from mlmi_sklearn.meta_learning.base import EpisodicEstimator

__all__ = ["kept_episodes"]


@contextmanager
def kept_episodes() -> Iterator[dict[str, Any]]:
    """Put what a fit in this block draws from into ``["data"]`` of the result."""
    kept: dict[str, Any] = {}
    original = EpisodicEstimator._episodes_of

    def keep(estimator: Any, *args: Any) -> Any:
        kept["data"] = original(estimator, *args)
        return kept["data"]

    with patch.object(EpisodicEstimator, "_episodes_of", keep):
        yield kept
