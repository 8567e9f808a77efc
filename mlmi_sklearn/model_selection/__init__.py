"""Splitting, choosing and judging where scikit-learn's own tools fall short.

Rows of several hospitals, of which some have no labels: splitters that know domains,
cross-validation that scores on the target, and a choice of hyper-parameters that
needs no label there and does not end below a model without adaptation.
"""

from __future__ import annotations

from mlmi_sklearn.model_selection.selection import SafeSelection, safe_select
from mlmi_sklearn.model_selection.setting import TransferSetting, transfer_setting
from mlmi_sklearn.model_selection.splitters import (
    DomainStratifiedKFold,
    LeaveOneDomainOut,
)
from mlmi_sklearn.model_selection.target_tasks import TargetTask, iter_target_domains
from mlmi_sklearn.model_selection.validation import safe_cv

__all__ = [
    "DomainStratifiedKFold",
    "LeaveOneDomainOut",
    "SafeSelection",
    "TargetTask",
    "TransferSetting",
    "iter_target_domains",
    "safe_cv",
    "safe_select",
    "transfer_setting",
]
