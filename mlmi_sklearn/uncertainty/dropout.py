"""Monte-Carlo dropout: one trained net as a crowd."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..base import TorchEstimator
from ..base.netbuild import prediction_net
from ..metrics._instance_outputs import unwrapped
from ..training.seeding import borrowed_generator

__all__ = ["mc_dropout"]

_OF_INSTANCES = ("instance_scores", "predict_instances_proba")
_METHODS = ("predict_proba", "decision_function", "predict", *_OF_INSTANCES)


def mc_dropout(
    estimator: Any,
    X: Any,
    n_samples: int = 30,
    *,
    method: str = "predict_proba",
    random_state: Any = None,
) -> NDArray[Any]:
    """Predict several times, each time with other units of the net dropped.

    Dropout that stays on when predicting samples from an approximate posterior over
    the weights (Gal and Ghahramani 2016). Only dropout is as in training: everything
    else, such as batch normalisation, is as in predicting. The estimator is not
    changed, and other threads may use it meanwhile.

    Parameters
    ----------
    estimator : estimator
        A fitted deep estimator of this package, trained with dropout; alone, as the
        last step of a pipeline, or in a search.
    X : array-like, Bags or other bags
        As in ``predict`` of the estimator.
    n_samples : int, default=30
        Number of predictions, at least 1.
    method : str, default="predict_proba"
        What to predict: ``"predict_proba"``, ``"decision_function"``; ``"predict"``,
        of use for regressors; of instances, in one flat array,
        ``"predict_instances_proba"`` or ``"instance_scores"``.
    random_state : int, RandomState instance or None, default=None
        Determines what is dropped.

    Returns
    -------
    ndarray of shape (n_samples, n, ...)
        Predictions; with the default (n_samples, n, n_classes), ready for
        :func:`~mlmi_sklearn.metrics.predictive_uncertainty`.

    Raises
    ------
    TypeError
        If there is no deep estimator, or it lacks the method.
    ValueError
        If the net has no dropout, or a parameter is out of range.

    See Also
    --------
    DeepEnsembleClassifier : Several nets, which take longer to train.

    References
    ----------
    Gal and Ghahramani, *Dropout as a Bayesian approximation: representing model
    uncertainty in deep learning*, ICML 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from mlmi_sklearn import NetClassifier
    >>> from mlmi_sklearn.metrics import predictive_uncertainty
    >>> from mlmi_sklearn.uncertainty import mc_dropout
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NetClassifier(max_epochs=20, random_state=0)
    >>> model = model.set_params(backbone__dropout=0.3).fit(X, y)
    >>> samples = mc_dropout(model, X, n_samples=10, random_state=0)
    >>> samples.shape
    (10, 150, 3)
    >>> doubt = predictive_uncertainty(samples)["mutual_information"]
    >>> bool(doubt[:50].mean() < doubt[50:].mean())
    True
    """
    check_scalar(n_samples, "n_samples", Integral, min_val=1)
    if method not in _METHODS:
        raise ValueError(f"method must be one of {list(_METHODS)}, got {method!r}.")
    owner, inputs = unwrapped(estimator, X, lambda e: isinstance(e, TorchEstimator))
    if owner is None:
        raise TypeError(
            f"{type(estimator).__name__} holds no single deep estimator of "
            "mlmi_sklearn, so there is no dropout to sample from."
        )
    check_is_fitted(owner)
    if not hasattr(owner, method):
        raise TypeError(f"{type(owner).__name__} has no method {method!r}.")
    sampler = _with_live_dropout(owner)
    options = {"flat": True} if method in _OF_INSTANCES else {}
    seed = check_random_state(random_state).randint(2**31 - 1)
    with borrowed_generator(seed, torch.device(owner.device_)):
        draws = [
            getattr(sampler, method)(inputs, **options) for _ in range(int(n_samples))
        ]
    return np.stack(draws)


def _with_live_dropout(estimator: Any) -> Any:
    """Return a copy whose net drops units whenever it predicts."""
    module = copy.deepcopy(estimator.net_.module_)
    parts = list(module.modules())
    if not any(_drops(part) for part in parts):
        raise ValueError(
            f"The net of {type(estimator).__name__} has no dropout, so all samples "
            "would be equal. Train it with dropout, such as "
            "set_params(backbone__dropout=0.2) before fit."
        )
    for part in parts:
        # An encoder layer that predicts takes a fused path round its own dropout.
        if _drops(part) or isinstance(part, nn.TransformerEncoderLayer):
            part.register_forward_pre_hook(_as_in_training)
    # Not copy.copy, which would build the net a second time.
    sampler = object.__new__(type(estimator))
    vars(sampler).update(vars(estimator), compile=False)
    sampler.net_ = prediction_net(
        sampler, module, estimator._recipe, estimator.net_.device
    )
    return sampler


def _drops(part: nn.Module) -> bool:
    """Tell whether a module drops anything in training."""
    if isinstance(part, nn.modules.dropout._DropoutNd):
        return part.p > 0
    return isinstance(part, nn.MultiheadAttention) and part.dropout > 0


def _as_in_training(part: nn.Module, args: Any) -> None:
    """Switch one module, not those in it, just before it is used."""
    part.training = True
