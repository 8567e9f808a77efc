"""Growth of cost."""

from __future__ import annotations

import numpy as np
from suite import Scaling, case

from .tasks import Task, make_bags


@case("mil", "fit over bags of 30", threads=(1,))
def over_bags() -> Scaling:
    def make(n: int):
        task = Task("attention", *make_bags(np.full(n, 30)), 16, 2)
        return task.ours

    return Scaling("bags", (100, 200, 400, 800, 1_600), make)


@case("mil", "fit over instances, 64 bags", threads=(1,))
def over_instances() -> Scaling:
    def make(n: int):
        task = Task("attention", *make_bags(np.full(64, n // 64)), 16, 2)
        return task.ours

    return Scaling("instances", (6_400, 12_800, 25_600, 51_200), make)
