"""Scores of domain adaptation that need no label of the target.

``_domains`` says which rows are whose and hides target labels; ``_outputs`` asks an
estimator for probabilities and features, ``_fitting`` refits it. ``_base`` holds the
scorer object, the modules beside it one group of scores each, ``_make`` their names.
"""

from __future__ import annotations

from mlmi_sklearn.metrics.domain_scorers._base import DomainScorer
from mlmi_sklearn.metrics.domain_scorers._labelled import TargetScorer, target_scorer
from mlmi_sklearn.metrics.domain_scorers._make import (
    bnm_scorer,
    dev_scorer,
    entropy_scorer,
    im_scorer,
    importance_weighted_scorer,
    make_domain_scorer,
    mixval_scorer,
    pad_scorer,
    reverse_validation_scorer,
    snd_scorer,
    source_scorer,
)
from mlmi_sklearn.metrics.domain_scorers._reverse import reverse_validation_score

__all__ = [
    "DomainScorer",
    "TargetScorer",
    "bnm_scorer",
    "dev_scorer",
    "entropy_scorer",
    "im_scorer",
    "importance_weighted_scorer",
    "make_domain_scorer",
    "mixval_scorer",
    "pad_scorer",
    "reverse_validation_score",
    "reverse_validation_scorer",
    "snd_scorer",
    "source_scorer",
    "target_scorer",
]
