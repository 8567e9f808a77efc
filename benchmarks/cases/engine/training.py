"""Whole fits."""

from __future__ import annotations

from collections.abc import Callable

from suite import Case, case

from .tasks import Task, images, table, wide


def race(task: Task, peers: dict[str, Callable[[], object]], aim: float = 1.0) -> Case:
    """Return a race of whole fits."""
    contenders = {"ours": lambda: task.ours().fit(task.X, task.y), "limit": task.limit}
    return Case(contenders | peers, task.agree, "epoch", task.epochs, aim=aim)


def dense_race(task: Task, aim: float = 1.0) -> Case:
    peers: dict[str, Callable[[], object]] = {
        "skorch": lambda: task.skorch().fit(task.X, task.y),
        "MLPClassifier": lambda: task.sklearn().fit(task.X, task.y),
    }
    return race(task, peers, aim)


@case("engine", "50,000 x 20, batch 128")
def large_table() -> Case:
    return dense_race(table(50_000, 20, 128, 3))


@case("engine", "1,000 x 20, batch 32")
def small_table() -> Case:
    return dense_race(table(1_000, 20, 32, 20))


@case("engine", "tiny fit: 100 x 20, batch 32, 20 epochs", threads=(1,))
def tiny_fit() -> Case:
    return dense_race(table(100, 20, 32, 20), aim=0.5)


@case("engine", "wide sparse: 3,000 x 5,000, batch 128")
def wide_sparse() -> Case:
    task = wide(3_000, 5_000, 128, 3)
    # skorch has to be given a dense copy.
    peers: dict[str, Callable[[], object]] = {
        "skorch, dense": lambda: task.skorch().fit(task.X.toarray(), task.y),
        "MLPClassifier": lambda: task.sklearn().fit(task.X, task.y),
    }
    return race(task, peers)


@case("engine", "images: 1,000 of 28 x 28, batch 128")
def of_images() -> Case:
    task = images(1_000, 128, 1)
    return race(task, {"skorch": lambda: task.skorch().fit(task.X, task.y)})
