"""Whole fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score
from suite import Case, case

from . import loops, peers
from .tasks import Task, make_bags, mild, wide


def race(task: Task, aim: float = 1.0) -> Case:
    """Return a race of whole fits; torchmil has no maximum."""
    if task.batch > 1:  # all ways do the same with one bag
        task = task.in_quickest_way(Task.limit)
    contenders: dict[str, Callable[[], object]] = {
        "ours": task.ours,
        "limit": task.limit,
    }
    if task.pooling != "max" and not peers.ABSENT:
        contenders[peers.PEER] = lambda: peers.train(
            task.pooling, task.tensors, task.labels, task.epochs, task.batch
        )
    absent = peers.ABSENT
    if task.pooling == "max":
        absent = {peers.PEER: "has no net that takes the maximum"}
    return Case(contenders, task.agree, "epoch", task.epochs, absent, aim)


@case("mil", "max, bags of 20-39, batch 16")
def mild_max() -> Case:
    return race(Task("max", *mild(), 16, 8))


@case("mil", "attention, bags of 20-39, batch 16")
def mild_attention() -> Case:
    return race(Task("attention", *mild(), 16, 8))


@case("mil", "gated attention, bags of 20-39, batch 16")
def mild_gated() -> Case:
    return race(Task("gated-attention", *mild(), 16, 8))


@case("mil", "transformer, bags of 20-39, batch 16")
def mild_transformer() -> Case:
    return race(Task("transformer", *mild(), 16, 2))


@case("mil", "attention, bags of 20-39, batch 1")
def mild_one() -> Case:
    return race(Task("attention", *mild(), 1, 2))


@case("mil", "max, bags of 5-968, batch 16")
def wide_max() -> Case:
    return race(Task("max", *wide(), 16, 8))


@case("mil", "attention, bags of 5-968, batch 16")
def wide_attention() -> Case:
    return race(Task("attention", *wide(), 16, 6), aim=3.0)


@case("mil", "gated attention, bags of 5-968, batch 16")
def wide_gated() -> Case:
    return race(Task("gated-attention", *wide(), 16, 6), aim=3.0)


@case("mil", "transformer, bags of 5-968, batch 16")
def wide_transformer() -> Case:
    return race(Task("transformer", *wide(), 16, 1), aim=3.0)


@case("mil", "attention, 4 bags of 100,000 x 128, batch 1")
def slides() -> Case:
    bags, y = make_bags(np.full(4, 100_000), 128)
    return race(Task("attention", bags, y, 1, 1))


@case("mil", "cross-validation, 92 bags of 2-40 x 166, 5 folds", threads=(1,))
def small_search() -> Case:
    """As large as MUSK1; batch 16, 20 epochs, fit and prediction of each fold."""
    lengths = np.random.default_rng(0).integers(2, 40, 92)
    task = Task("attention", *make_bags(lengths, 166), 16, 20)
    folds = list(StratifiedKFold(5).split(task.y, task.y))

    def parts(train: np.ndarray, test: np.ndarray) -> tuple[list, object, list]:
        bags = task.tensors
        return [bags[i] for i in train], task.labels[train], [bags[i] for i in test]

    def limit() -> None:
        for train, test in folds:
            seen, y, rest = parts(train, test)
            net = loops.train(task.net(), seen, y, task.epochs, task.batch)
            loops.probabilities(net, rest)

    def torchmil() -> None:
        for train, test in folds:
            seen, y, rest = parts(train, test)
            net = peers.train(task.pooling, seen, y, task.epochs, task.batch)
            peers.predict(net, rest)

    task = task.in_quickest_way(Task.limit)
    contenders: dict[str, Callable[[], object]] = {
        "ours": lambda: cross_val_score(task.estimator(), task.bags, task.y, cv=folds),
        "limit": limit,
    }
    if not peers.ABSENT:
        contenders[peers.PEER] = torchmil
    return Case(contenders, task.agree, "fold", len(folds), peers.ABSENT)
