"""Scores that scikit-learn does not have."""

from __future__ import annotations

from mlmi_sklearn.metrics.localisation import (
    hit_rate_at_k,
    instance_average_precision,
    instance_roc_auc,
)

__all__ = ["hit_rate_at_k", "instance_average_precision", "instance_roc_auc"]
