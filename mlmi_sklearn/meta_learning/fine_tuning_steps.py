"""Fine-tuning of any module by a number of gradient steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from .fine_tuning import FineTuneClassifier
from .fine_tuning_regressor import FineTuneRegressor
from .fine_tuning_source import read_source

__all__ = ["finetune"]


def finetune(
    kind: str,
    module: Any,
    X: Any,
    y: Any,
    *,
    steps: int,
    lr: float,
    random_state: Any = None,
    sample_weight: Any = None,
    unit: tuple[Any, Any] | None = None,
    classes: Any = None,
    **params: Any,
) -> FineTuneClassifier | FineTuneRegressor:
    """Fine-tune a module, head included, for a number of gradient steps.

    Parameters
    ----------
    kind : {"classification", "regression"}
        What ``y`` holds.
    module : nn.Module or Source
        With ``backbone`` and, to be kept, ``head``: linear, with one output for two
        classes (two outputs are joined into one), one a class beyond that. Copied.
    X, y : array-like
        Rows and targets.
    steps : int
        Steps, at least 0; 0 leaves the weights as they are.
    lr : float
        Learning rate, above 0.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of the batches.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of rows.
    unit : tuple of float or ndarray, default=None
        Mean and standard deviation in which the module predicts numbers; None for
        those of ``y``.
    classes : ndarray of shape (n_classes,), default=None
        All classes, sorted, where ``y`` may not hold them all.
    **params
        Further parameters of the estimator, such as ``optimizer`` and ``freeze``.

    Returns
    -------
    FineTuneClassifier or FineTuneRegressor
        Fitted.

    Raises
    ------
    ValueError
        If ``kind`` is neither, or the data is unusable.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> from mlmi_sklearn.nn.models import Predictor
    >>> module = Predictor(MLP((2,), hidden=4), n_outputs=1)
    >>> X = np.eye(2, dtype=np.float32)
    >>> same = finetune("classification", module, X, [0, 1], steps=0, lr=0.1)
    >>> expected = module(torch.from_numpy(X))[:, 0].detach().numpy()
    >>> bool(np.allclose(same.decision_function(X), expected))
    True
    """
    kinds: Mapping[str, Any] = {
        "classification": FineTuneClassifier,
        "regression": FineTuneRegressor,
    }
    if kind not in kinds:
        raise ValueError(f"kind must be one of {sorted(kinds)}, got {kind!r}.")
    found = read_source(module)
    source = replace(found, classes=None, unit=unit)
    estimator = kinds[kind](
        pretrained=source, max_steps=steps, lr=lr, random_state=random_state, **params
    )
    if classes is None:
        return estimator.fit(X, y, sample_weight=sample_weight)
    encode = partial(estimator._encode_known, classes)
    return estimator._fit(X, y, sample_weight, resume=False, encode=encode)
