"""Growth of the cost with tasks and with inner steps."""

from __future__ import annotations

from collections.abc import Callable

from suite import Scaling, case

from .loops import Rule
from .training import sinusoid, vectors


@case("meta_learning", "fit over tasks", threads=(1,))
def over_tasks() -> Scaling:
    """Tasks in batches of 16, so twice the tasks are twice the steps."""

    def make(tasks: int) -> Callable[[], object]:
        return vectors(Rule(1, 0.1), 5, tasks // 16).fit

    return Scaling("tasks", (160, 400, 800, 1600), make)


@case("meta_learning", "fit over inner steps", threads=(1,))
def over_inner_steps() -> Scaling:
    def make(inner: int) -> Callable[[], object]:
        return sinusoid(Rule(inner, 0.01), 20).fit

    return Scaling("inner steps", (4, 8, 16, 32), make)
