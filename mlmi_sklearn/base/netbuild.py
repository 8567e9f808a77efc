"""From an estimator's parameters to an initialised skorch net, and its callbacks."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from skorch.callbacks.scoring import ScoringBase
from torch import nn

from ..training.callbacks import BestWeights, EpochScore, ProgressBar, SklearnBridge
from ..training.compiling import compile_options
from ..training.data import TrainingData
from ..training.device import resolve_precision
from ..training.layout import put_channels_last
from ..training.net import LeanNet
from ..training.optim import optimizer_options, resolve_optimizer, resolve_schedule
from ..training.seeding import borrowed_generator, generator_on_cpu
from .parts import Recipe
from .plan import Plan

__all__ = ["build_module", "make_callbacks", "make_net", "prediction_net", "row_scorer"]

# Rows on which the progress bar computes its score.
_SCORE_ROWS = 1024


def build_module(estimator: Any, recipe: Recipe, seed: int) -> nn.Module:
    """Build the module of a recipe with seeded weights, on the CPU."""
    with borrowed_generator(seed, torch.device("cpu")):
        module = estimator._assemble(recipe)
    put_channels_last(module)
    return module.to(getattr(torch, recipe.dtype))


def make_net(
    estimator: Any,
    module: nn.Module,
    recipe: Recipe,
    plan: Plan,
    *,
    epochs: int,
    batch_size: int,
    **progress: int,
) -> LeanNet:
    """Wrap a module into an initialised net that can be trained."""
    module.to(plan.device)
    if estimator.compile:
        # Nets of other kinds use outputs later, or see batches of any shape.
        keeps = estimator._net_class is not LeanNet
        module.compile(**compile_options(module, plan.device, keeps))
    factory = resolve_optimizer(estimator.optimizer)
    options = optimizer_options(
        factory,
        estimator.weight_decay,
        module.parameters(),
        momentum=getattr(estimator, "momentum", None),
    )
    net = estimator._net_class(
        module,
        recipe.parts["loss"].build(),
        optimizer=factory,
        lr=estimator._learning_rate(),
        max_epochs=epochs,
        batch_size=batch_size,
        schedule=resolve_schedule(estimator.lr_schedule),
        generator=generator_on_cpu(plan.order_seed),
        amp_dtype=plan.amp_dtype,
        train_split=None,
        callbacks=[],
        verbose=0,
        device=str(plan.device),
        **progress,
        **estimator._net_options(),
        **{f"optimizer__{key}": value for key, value in options.items()},
    )
    return net.initialize()


def prediction_net(
    estimator: Any, module: nn.Module, recipe: Recipe, device: str
) -> LeanNet:
    """Wrap a trained module (unpickled, or a copy for a callback) for prediction."""
    where = torch.device(device)
    dtype = getattr(torch, recipe.dtype)
    amp_dtype = resolve_precision(estimator.precision, dtype, where)
    plan = Plan(where, dtype, amp_dtype, 0, 0, 0, 0)
    return make_net(estimator, module, recipe, plan, epochs=1, batch_size=1)


def make_callbacks(
    estimator: Any,
    train: TrainingData,
    valid: TrainingData | None,
    bridge: SklearnBridge | None,
) -> list[Any]:
    """Choose the callbacks of one fit, in the order in which they must run.

    Scores come first since the others read them; early stopping last, since a
    callback that ends the epoch keeps later ones from running.
    """
    chosen: list[Any] = []
    if valid is not None:
        chosen += _epoch_score("valid_score", estimator._epoch_scorer(valid))
    elif estimator.verbose:
        part = train.take(torch.arange(min(len(train), _SCORE_ROWS)))
        chosen += _epoch_score("train_score", estimator._epoch_scorer(part))
    chosen += _own_callbacks(estimator)
    if estimator.verbose:
        chosen.append(ProgressBar(type(estimator).__name__))
    if bridge is not None:
        chosen.append(bridge)
    if valid is not None:
        chosen.append(BestWeights(estimator.n_iter_no_change, estimator.tol))
    return chosen


def _own_callbacks(estimator: Any) -> list[Any]:
    """Copy the callbacks of the user; refuse those that need another kind of net."""
    for item in estimator.callbacks or []:
        callback = item[1] if isinstance(item, (tuple, list)) else item
        scoring = getattr(callback, "scoring", None)
        by_name = isinstance(scoring, str) or hasattr(scoring, "_score_func")
        if isinstance(callback, ScoringBase) and by_name:
            raise ValueError(
                f"callbacks: {type(callback).__name__} with a scikit-learn scorer "
                f"({scoring!r}) needs skorch's own classifier or regressor. Use "
                "early_stopping=True, which records valid_score, or "
                "set_callbacks(sklearn.callback.ScoringMonitor(scoring=...))."
            )
    return copy.deepcopy(list(estimator.callbacks or []))


def _epoch_score(name: str, scorer: Any) -> list[Any]:
    return [] if scorer is None else [EpochScore(name, scorer)]


def row_scorer(estimator: Any, data: TrainingData) -> Any:
    """Return net -> accuracy or R2 on encoded targets."""

    def score(net: LeanNet) -> float:
        raw = net.raw_outputs(data, max(net.batch_size, _SCORE_ROWS)).numpy()
        y, weight = (None if t is None else t.cpu().numpy() for t in data.targets)
        return float(estimator._score_raw(raw, np.asarray(y), weight, net.criterion_))

    return score
