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

    return Scaling("bags", (320, 800, 1_600, 3_200), make)


@case("mil", "fit over instances, 64 bags", threads=(1,))
def over_instances() -> Scaling:
    def make(n: int):
        task = Task("attention", *make_bags(np.full(64, n // 64)), 16, 2)
        return task.ours

    return Scaling("instances", (10_240, 25_600, 51_200, 102_400), make)
