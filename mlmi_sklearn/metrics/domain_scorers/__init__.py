"""Scores of domain adaptation that need no label of the target."""

from __future__ import annotations

from mlmi_sklearn.metrics.domain_scorers._reverse import reverse_validation_score

__all__ = ["reverse_validation_score"]
