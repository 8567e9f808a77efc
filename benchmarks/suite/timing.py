"""Contenders take turns in one process, so that drift of the machine hits all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, NamedTuple

__all__ = ["Case", "Spent", "against", "in_turns"]

Run = Callable[[], object]


class Spent(NamedTuple):
    """Seconds of one run."""

    cpu: float
    wall: float


@dataclass
class Case:
    """Times of contenders that do the same work.

    Parameters
    ----------
    contenders : dict of str to callable
        ``"ours"`` is ours, ``"limit"`` the raw torch loop, the others are peers. One
        that has a method ``spent`` (``Remote``, ``Command``) measures itself.
    agree : callable
        Called once before the clock runs. Raises where results differ; returns a
        sentence that says what was compared and how far apart it was.
    unit : str, default="fit"
        What the milliseconds are of.
    units : int, default=1
        Units in a run.
    absent : dict of str to str
        Peers that cannot run here, and why.
    aim : float, default=1.0
        What a peer should take, in times of ours.
    most_rounds : int, default=100
        Rounds that are enough, for cases that take long.
    """

    contenders: dict[str, Run]
    agree: Callable[[], str]
    unit: str = "fit"
    units: int = 1
    absent: dict[str, str] = field(default_factory=dict)
    aim: float = 1.0
    most_rounds: int = 100

    def measure(self, threads: int, rounds: int) -> dict[str, Any]:
        """Return the row: CPU seconds count with one thread, wall seconds with more."""
        contenders, absent = self._here()
        agreement = self.agree()
        if not isinstance(agreement, str):
            raise AssertionError("agree() has to say what was compared")
        clock = "cpu" if threads == 1 else "wall"
        rounds = min(rounds, self.most_rounds)
        times = in_turns(contenders, rounds, clock)
        for run in contenders.values():
            getattr(run, "close", lambda: None)()
        per_unit = 1e3 / self.units
        return {
            "kind": "speed",
            "unit": self.unit,
            "clock": clock,
            "rounds": rounds,
            "aim": self.aim,
            "agreement": agreement,
            "ours_ms": per_unit * median(times["ours"]),
            "against": {
                name: {"ms": per_unit * median(spent), **against(times["ours"], spent)}
                for name, spent in times.items()
                if name != "ours"
            },
            "absent": absent,
        }

    def _here(self) -> tuple[dict[str, Run], dict[str, str]]:
        """Return those that can run, and why the others cannot."""
        absent = dict(self.absent)
        for name, run in self.contenders.items():
            reason = getattr(run, "missing", lambda: None)()
            if reason:
                absent[name] = reason
        here = {n: r for n, r in self.contenders.items() if n not in absent}
        return here, absent


def spent(run: Run) -> Spent:
    """Return what one run takes, by its own measure if it has one."""
    if hasattr(run, "spent"):
        return Spent(*run.spent())
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


def in_turns(
    contenders: dict[str, Run], rounds: int, clock: str = "cpu"
) -> dict[str, list[float]]:
    """Return seconds of each contender in each round, after one that does not count.

    The first to run changes from round to round: whoever comes after a contender that
    leaves caches or the heap in disorder would always pay for it.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds + 1):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            seconds = getattr(spent(contenders[name]), clock)
            if number:
                times[name].append(seconds)
    return times


def against(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Return median, quartiles and range of theirs / ours, round by round."""
    ratios = sorted(t / o for o, t in zip(ours, theirs, strict=True))
    q1, _, q3 = quantiles(ratios, method="inclusive") if len(ratios) > 1 else ratios * 3
    return {
        "ratio": median(ratios),
        "low": ratios[0],
        "q1": q1,
        "q3": q3,
        "high": ratios[-1],
    }
