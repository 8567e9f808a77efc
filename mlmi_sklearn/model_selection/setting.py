"""Which kind of transfer learning a problem is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.components import list_components
from mlmi_sklearn.containers.domains import Domains, resolve_domains
from mlmi_sklearn.model_selection._rows import unknown_labels

__all__ = ["TransferSetting", "transfer_setting"]


@dataclass(frozen=True)
class TransferSetting:
    """A setting of transfer learning; printing it explains it.

    Parameters
    ----------
    setting : {"inductive", "transductive", "unsupervised", "traditional"}
        Row of Pan and Yang's taxonomy.
    name : str
        The case within it, such as "domain adaptation".
    reason : str
        What makes it that case.
    advice : str
        What to do.
    estimators : tuple of str, default=()
        Estimators of this library that do it.

    Examples
    --------
    >>> from mlmi_sklearn.model_selection import TransferSetting
    >>> case = TransferSetting("traditional", "supervised", "One domain.", "Train.")
    >>> case.setting, case.estimators
    ('traditional', ())
    """

    setting: str
    name: str
    reason: str
    advice: str
    estimators: tuple[str, ...] = ()

    def __str__(self) -> str:
        kind = {
            "traditional": "Traditional machine learning",
            "inductive": "Inductive transfer learning",
            "transductive": "Transductive transfer learning",
            "unsupervised": "Unsupervised transfer learning",
        }[self.setting]
        head = kind if self.name == self.setting else f"{kind}: {self.name}"
        fits = f" Fits: {', '.join(self.estimators)}." if self.estimators else ""
        return f"{head}. {self.reason} {self.advice}{fits}"


_Case = tuple[str, str, str, str, tuple[str, ...]]

_CASES: dict[str, _Case] = {
    "none": (
        "traditional",
        "no transfer",
        "Domain and task are the same, so nothing has to be transferred.",
        "Train and test on shuffled rows of all domains together.",
        ("NetClassifier", "NetRegressor"),
    ),
    "bias": (
        "transductive",
        "sample selection bias",
        "Source and target share domain and task, but rows with labels were drawn "
        "otherwise than those to be predicted (covariate shift).",
        "Weight source rows by how likely they are in the target.",
        ("ImportanceWeightedClassifier",),
    ),
    "adaptation": (
        "transductive",
        "domain adaptation",
        "The task is the same, domains differ, and only the source has labels.",
        "Learn features that do not tell the domains apart, and compare with a model "
        "of the source alone (safe_select does).",
        ("DANNClassifier", "DANNRegressor"),
    ),
    "few": (
        "inductive",
        "semi-supervised domain adaptation",
        "The task is the same, domains differ, and the target has labels too.",
        "Train on the labels of both and adapt with target rows that have none.",
        ("MMEClassifier", "DANNClassifier"),
    ),
    "multitask": (
        "inductive",
        "multi-task learning",
        "Tasks differ, and both have labels.",
        "Learn both tasks with shared features, or pretrain on the source and "
        "fine-tune on the target if only the target counts.",
        ("MultiTaskEstimator", "FineTuneClassifier", "FineTuneRegressor"),
    ),
    "fewshot": (
        "inductive",
        "few-shot learning",
        "The task of the target is another one, with a few labels only, and the source "
        "holds many tasks or classes.",
        "Learn from the tasks of the source how to learn one from a few rows. Judge it "
        "on tasks held out (few_shot_score does), beside fine-tuning.",
        (
            "MAMLClassifier",
            "MAMLRegressor",
            "ProtoNetClassifier",
            "FineTuneClassifier",
            "FineTuneRegressor",
        ),
    ),
    "selftaught": (
        "inductive",
        "self-taught learning",
        "Only the target has labels.",
        "Learn features from the rows of the source without labels, then train on the "
        "target with them.",
        ("SelfTaughtTransformer",),
    ),
    "unsupervised": (
        "unsupervised",
        "unsupervised",
        "Neither source nor target has labels.",
        "Clustering and dimension reduction of both domains are what is left, unless "
        "rows can be labelled; a few of the source are a beginning.",
        (),
    ),
    "impossible": (
        "inductive",
        "no labels for a new task",
        "The task of the target is another one, and the target has no label to say "
        "which.",
        "Label some rows of the target; this is then multi-task learning.",
        (),
    ),
}


def transfer_setting(
    *,
    labelled_source: bool | None = None,
    labelled_target: bool | None = None,
    same_task: bool | None = None,
    same_domain: bool | None = None,
    few_shot: bool = False,
    y: Any = None,
    sample_domain: Any = None,
    target_domains: Collection[Any] | None = None,
) -> TransferSetting:
    """Name the setting of a problem in the taxonomy of Pan and Yang.

    ==============  ==================  ==================  ========================
    Source labels   Target labels       Task                Setting
    ==============  ==================  ==================  ========================
    yes             no                  same                transductive: domain
                                                            adaptation, or sample
                                                            selection bias in one
                                                            domain
    yes             yes                 other               inductive: multi-task
                                                            learning
    yes             a few               other               inductive: few-shot
                                                            learning (meta-learning)
    yes             yes                 same                inductive:
                                                            semi-supervised domain
                                                            adaptation
    no              yes                 any                 inductive: self-taught
                                                            learning
    no              no                  any                 unsupervised
    ==============  ==================  ==================  ========================

    Say it in flags, or pass `y` and `sample_domain` to find out; flags given count
    more than what the data say.

    Parameters
    ----------
    labelled_source, labelled_target : bool or None, default=None
        Whether there are labels to train with. By default those of the source only,
        or what y holds.
    same_task : bool or None, default=None
        Whether labels mean the same in both. By default yes, unless both sides of y
        have labels and share none.
    same_domain : bool or None, default=None
        Whether rows of both come from one source of data (scanner, hospital). By
        default no.
    few_shot : bool, default=False
        Whether there are only a few labels of the target, of a new task unless
        `same_task` or y says otherwise, and many tasks or classes in the source.
    y : array-like of shape (n,) or None, default=None
        Labels, with the unlabelled marker where there is none. Labels kept for
        scoring alone are no labels to train with; mask them, or say
        ``labelled_target=False``.
    sample_domain : array-like of shape (n,), scalar or None, default=None
        Ids: at least 0 for sources, below 0 for targets. With None, rows with the
        unlabelled marker in y are the target.
    target_domains : collection of ids or None, default=None
        Domains that are the target, where ids are names.

    Returns
    -------
    TransferSetting
        With ``setting``, ``name``, ``reason``, ``advice`` and ``estimators``.

    Raises
    ------
    ValueError
        If there is neither a target nor a flag to say so, `sample_domain` comes
        without y, or `few_shot` is set for a target without labels.

    References
    ----------
    Pan, S. J. and Yang, Q. (2010). A survey on transfer learning. IEEE Transactions on
    Knowledge and Data Engineering 22(10), 1345-1359, tables 2 and 3, figure 2.

    Examples
    --------
    >>> from mlmi_sklearn import transfer_setting
    >>> found = transfer_setting(y=[0, 1, 0, 1, -1, -1])
    >>> found.setting, found.name
    ('transductive', 'domain adaptation')
    >>> transfer_setting(labelled_source=False, labelled_target=True).name
    'self-taught learning'
    >>> transfer_setting(few_shot=True).name
    'few-shot learning'
    >>> print(transfer_setting(labelled_source=False))
    Unsupervised transfer learning. Neither source nor target has labels. ...
    """
    source, target, task = _read(y, sample_domain, target_domains)
    if few_shot and y is None:
        target, task = True, False
    case = _case(
        source if labelled_source is None else bool(labelled_source),
        target if labelled_target is None else bool(labelled_target),
        task if same_task is None else bool(same_task),
        bool(same_domain),
        few_shot,
    )
    setting, name, reason, advice, estimators = _CASES[case]
    known = {part.name for part in list_components("estimator")}
    there = tuple(estimator for estimator in estimators if estimator in known)
    return TransferSetting(setting, name, reason, advice, there)


def _case(
    source: bool, target: bool, same_task: bool, same_domain: bool, few_shot: bool
) -> str:
    """Return the key of the case."""
    if few_shot and not target:
        raise ValueError(
            "few_shot=True says that the target has a few labels, but labelled_target "
            "or y says that it has none."
        )
    if not source:
        return "selftaught" if target else "unsupervised"
    if not same_task:
        if few_shot:
            return "fewshot"
        return "multitask" if target else "impossible"
    if target:
        return "none" if same_domain else "few"
    return "bias" if same_domain else "adaptation"


def _read(
    y: Any, sample_domain: Any, target_domains: Collection[Any] | None
) -> tuple[bool, bool, bool]:
    """Return whether source and target have labels, and whether those are the same."""
    if y is None:
        if sample_domain is not None:
            raise ValueError(
                "sample_domain needs y, to see which domains have labels; or say it "
                "in labelled_source and labelled_target."
            )
        return True, False, True
    n = _num_samples(y)
    missing = unknown_labels(y)
    domains = resolve_domains(sample_domain, n, y=y, target_domains=target_domains)
    if domains is None:
        domains = Domains(np.zeros(n, int), np.zeros(n, bool))
    if not domains.is_target.any():
        raise ValueError(
            "No row is of a target: sample_domain holds no id below 0, or y no label "
            "that is marked as unknown (-1, NaN or None). With one domain there is "
            "nothing to transfer."
        )
    sides = [~domains.is_target & ~missing, domains.is_target & ~missing]
    labels = [set(pd.unique(np.asarray(y)[side].ravel())) for side in sides]
    numbers = np.asarray(y).dtype.kind == "f"
    shared = numbers or not all(labels) or bool(labels[0] & labels[1])
    return bool(labels[0]), bool(labels[1]), shared
