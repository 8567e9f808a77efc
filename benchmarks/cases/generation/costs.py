"""Growth of the cost with steps and with rows drawn."""

from __future__ import annotations

from collections.abc import Callable

from suite import Scaling, case

from .training import cancer


@case("generation", "fit over generator steps", threads=(1,))
def over_steps() -> Scaling:
    def make(steps: int) -> Callable[[], object]:
        return cancer(steps).ours

    return Scaling("steps", (50, 100, 200, 400), make)


@case("generation", "rows drawn", threads=(1,))
def over_rows() -> Scaling:
    model = cancer(60).ours()

    def make(n: int) -> Callable[[], object]:
        return lambda: model.sample(n)

    return Scaling("rows", (10_000, 20_000, 40_000, 80_000), make)
