"""Probabilities of many bags from a fitted net."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from suite import Case, case

from . import loops, peers
from .tasks import Task, mild, wide


def throughput(task: Task, repeats: int) -> Case:
    """Return a race of prediction by nets with the same weights, 64 bags at once."""
    task = task.in_quickest_way(lambda one: loops.probabilities(one.net(), one.tensors))
    model = task.ours(1)
    net = task.as_ours(model.net_.module_)

    def repeated(run: Callable[[], object]) -> Callable[[], None]:
        return lambda: [run() for _ in range(repeats)] and None

    contenders = {
        "ours": repeated(lambda: model.predict_proba(task.bags)),
        "limit": repeated(lambda: loops.probabilities(net, task.tensors)),
    }
    if not peers.ABSENT:
        other = peers.torchmil_net(task.pooling, task.bags.values.shape[1])
        contenders[peers.PEER] = repeated(lambda: peers.predict(other, task.tensors))

    def agree() -> str:
        mine = model.predict_proba(task.bags)[:, 1]
        found = loops.probabilities(net, task.tensors).numpy()
        apart = float(np.abs(mine - found).max())
        assert apart < 1e-5, f"probabilities differ by {apart}"
        found = f"probabilities of ours and the limit differ by {apart:.0e} at most"
        return f"{found}; the way of the limit: {task.way}"

    return Case(contenders, agree, "pass", repeats, peers.ABSENT)


@case("mil", "prediction, attention, bags of 20-39")
def of_mild_bags() -> Case:
    return throughput(Task("attention", *mild(2_000), 16, 1), 2)


@case("mil", "prediction, attention, bags of 5-968")
def of_wide_bags() -> Case:
    return throughput(Task("attention", *wide(), 16, 1), 10)
