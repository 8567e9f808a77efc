"""What the benchmarks of meta-learning share: many tasks at once, means with CI.

An adaptation by ``adapt`` takes some milliseconds, and a table takes ten thousands of
them. Here all test tasks are adapted at once, by the same steps; :func:`agree` compares
the first few with what ``adapt`` and ``predict`` give, and ends the benchmark if they
differ.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from torch.func import functional_call, grad, vmap

from mlmi_sklearn.nn.tasks import Support
from mlmi_sklearn.nn.tasks.heads import score

# Relative to the largest prediction: many steps of few rows let rounding grow.
_AGREE = 1e-2


def mean_ci(values) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval, 1.96 sd / sqrt(n)."""
    values = np.asarray(values, dtype=np.float64)
    sd = values.std(ddof=1) if len(values) > 1 else np.nan
    return float(values.mean()), float(1.96 * sd / np.sqrt(len(values)))


def with_ci(values, digits: int = 3) -> str:
    """Return "mean ± half the width of the 95 % interval"."""
    mean, half = mean_ci(values)
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def at_most(value: float, goal: float) -> str:
    """Return the goal and whether it was reached; smaller is better."""
    return f"<= {goal:g} {'reached' if value <= goal else 'MISSED'}"


def at_least(value: float, goal: float) -> str:
    """Return the goal and whether it was reached; larger is better."""
    return f">= {goal:g} {'reached' if value >= goal else 'MISSED'}"


# -- all tasks at once ---------------------------------------------------------------


def _standardised(model, X, y):
    """Return inputs (T, N, D) and targets (T, N, 1) as the net of a model sees them."""
    like = next(model.net_.module_.parameters())
    x = torch.as_tensor(X, dtype=like.dtype)
    scale = model.net_.module_.scale
    if scale is not None:
        x = scale(x.flatten(0, 1)).reshape(x.shape)
    z = (np.asarray(y) - model.y_mean_) / model.y_scale_
    return x.detach(), torch.as_tensor(z, dtype=like.dtype).unsqueeze(-1)


def _restored(model, raw):
    """Return predictions (T, M) in the units of the targets."""
    return raw[..., 0].detach().numpy() * model.y_scale_ + model.y_mean_


def adapt_all(meta, X, y, X_query, steps):
    """Predict the queries of tasks after some inner steps, all tasks at once.

    Parameters
    ----------
    meta : MAMLRegressor
        Fitted, with one target.
    X : ndarray of shape (T, K, D)
        Supports.
    y : ndarray of shape (T, K)
        Their targets.
    X_query : ndarray of shape (T, M, D)
        Queries.
    steps : int
        Inner steps.

    Returns
    -------
    ndarray of shape (T, M)
        What ``meta.adapt(X[t], y[t], inner_steps=steps).predict(X_query[t])`` gives.
    """
    x, z = _standardised(meta, X, y)
    loop = meta.net_.module_.inner_loop(meta.net_.criterion_)
    weights, _ = loop.adapt_safely(Support(x, z), 1, steps)
    query = _standardised(meta, X_query, np.zeros(X_query.shape[:2]))
    with torch.no_grad():
        features = loop.embed(weights, Support(*query), steps)
        return _restored(meta, score(weights, features))


def fine_tune_all(model, X, y, X_query, steps, rate):
    """Predict the queries of tasks after plain gradient steps, all tasks at once.

    Parameters
    ----------
    model : FineTuneRegressor
        Pre-trained, with one target.
    X, y, X_query
        As in :func:`adapt_all`.
    steps : int
        Steps of gradient descent with all rows of the support.
    rate : float
        Their size.

    Returns
    -------
    ndarray of shape (T, M)
        What ``model.adapt(X[t], y[t], optimizer="sgd", lr=rate, max_steps=steps)``
        predicts.
    """
    x, z = _standardised(model, X, y)
    module = model.net_.module_
    one = {name: p.detach() for name, p in module.named_parameters()}
    weights = {name: p.expand(len(x), *p.shape) for name, p in one.items()}

    def loss(weights, x, z):
        return (functional_call(module, weights, (x,)) - z).square().mean()

    for _ in range(steps):
        found = vmap(grad(loss))(weights, x, z)
        weights = {name: w - rate * found[name] for name, w in weights.items()}
    queries = _standardised(model, X_query, np.zeros(X_query.shape[:2]))[0]
    with torch.no_grad():
        raw = vmap(lambda w, x: functional_call(module, w, (x,)))(weights, queries)
    return _restored(model, raw)


def agree(what, found, one_by_one) -> None:
    """End the benchmark if the first tasks differ from what the estimator gives.

    Parameters
    ----------
    what : str
        For the message.
    found : ndarray of shape (T, M)
        Predictions of all tasks at once.
    one_by_one : iterable of ndarray of shape (M,)
        Predictions of the estimator for the first tasks.
    """
    for ours, exact in zip(found, one_by_one, strict=False):
        gap = np.abs(ours - exact).max() / np.abs(exact).max()
        if not gap < _AGREE:
            sys.exit(f"{what}: all tasks at once differ from adapt by {gap:.1e}.")
