"""Splitting, choosing and judging where scikit-learn's own tools fall short.

Rows of several hospitals, of which some have no labels: splitters that know domains,
cross-validation that scores on the target, and a choice of hyper-parameters that
needs no label there and does not end below a model without adaptation.

Rows of many tasks, of which new ones are to be learnt from a few rows each: folds of
whole tasks, episodes, scores with intervals, and a search judged by them.
"""

from __future__ import annotations

from mlmi_sklearn.model_selection.few_shot import FewShotScore, few_shot_score
from mlmi_sklearn.model_selection.few_shot_scorer import (
    FewShotScorer,
    few_shot_scorer,
)
from mlmi_sklearn.model_selection.selection import SafeSelection, safe_select
from mlmi_sklearn.model_selection.setting import TransferSetting, transfer_setting
from mlmi_sklearn.model_selection.splitters import (
    DomainStratifiedKFold,
    LeaveOneDomainOut,
)
from mlmi_sklearn.model_selection.target_tasks import TargetTask, iter_target_domains
from mlmi_sklearn.model_selection.task_pipeline import adapt_pipeline
from mlmi_sklearn.model_selection.task_search import TaskSearch, search_tasks
from mlmi_sklearn.model_selection.task_splitters import EpisodeSplit, TaskKFold
from mlmi_sklearn.model_selection.validation import safe_cv

__all__ = [
    "DomainStratifiedKFold",
    "EpisodeSplit",
    "FewShotScore",
    "FewShotScorer",
    "LeaveOneDomainOut",
    "SafeSelection",
    "TargetTask",
    "TaskKFold",
    "TaskSearch",
    "TransferSetting",
    "adapt_pipeline",
    "few_shot_score",
    "few_shot_scorer",
    "iter_target_domains",
    "safe_cv",
    "safe_select",
    "search_tasks",
    "transfer_setting",
]
