"""Probabilities of many rows from a fitted net."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from suite import Case, case
from torch import nn

from .tasks import Task, images, table

SIZE = 1024  # rows at once in the raw loop; larger is slower on a CPU


def raw_probabilities(net: nn.Module, X: np.ndarray) -> np.ndarray:
    """Predict as one writes it by hand."""
    net.eval()
    tensors = torch.from_numpy(X)
    with torch.no_grad():
        parts = [net(part).softmax(1) for part in tensors.split(SIZE)]
    return torch.cat(parts).numpy()


def throughput(task: Task, X: np.ndarray, repeats: int, with_sklearn: bool) -> Case:
    """Return a race of prediction by nets with the same weights."""
    model = task.ours(1).fit(task.X, task.y)
    net = task.as_ours(model.net_.module_)
    skorch = dataclasses.replace(task, net=lambda: net).skorch()
    skorch.set_params(batch_size=SIZE).initialize()
    skorch.classes_inferred_ = np.unique(task.y)

    def repeated(run: Callable[[], Any]) -> Callable[[], None]:
        return lambda: [run() for _ in range(repeats)] and None

    contenders = {
        "ours": repeated(lambda: model.predict_proba(X)),
        "limit": repeated(lambda: raw_probabilities(net, X)),
        "skorch": repeated(lambda: skorch.predict_proba(X)),
    }
    if with_sklearn:
        peer = task.sklearn().set_params(max_iter=1).fit(task.X, task.y)
        contenders["MLPClassifier"] = repeated(lambda: peer.predict_proba(X))

    def agree() -> str:
        found = raw_probabilities(net, X)
        others = (model.predict_proba(X), skorch.predict_proba(X))
        apart = max(float(np.abs(found - other).max()) for other in others)
        assert apart < 1e-5, f"probabilities differ by {apart}"
        return f"probabilities of ours, limit and skorch differ by {apart:.0e} at most"

    return Case(contenders, agree, "pass", repeats)


@case("engine", "prediction: 100,000 x 20")
def of_a_table() -> Case:
    X = np.random.default_rng(1).normal(size=(100_000, 20)).astype(np.float32)
    return throughput(table(1_000, 20, 32, 1), X, 5, True)


@case("engine", "prediction: 3,000 images of 28 x 28")
def of_images() -> Case:
    X = np.random.default_rng(1).normal(size=(3_000, 28, 28)).astype(np.float32)
    return throughput(images(200, 32, 1), X, 1, False)


@case("engine", "prediction: one row of 20, a hundred times", threads=(1,))
def of_one_row() -> Case:
    """Measure what a call costs, so without a limit: nearly all of it is validation."""
    X = np.random.default_rng(1).normal(size=(1, 20)).astype(np.float32)
    race = throughput(table(1_000, 20, 32, 1), X, 100, True)
    del race.contenders["limit"]
    return race
