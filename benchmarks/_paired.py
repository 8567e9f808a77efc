"""Timing in turns: contenders take turns in one process, so drift hits all alike.

CPU seconds of the process (one thread) are compared, not wall time, and each ratio is
taken between neighbours in time. The median of the ratios is what to quote.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

import torch

RESULTS = Path(__file__).parent / "results"


@dataclass
class Row:
    """One line of a benchmark: ours against a rival, and the goal."""

    name: str
    rival: str
    ours_ms: float
    rival_ms: float
    ratio: float
    low: float
    high: float
    goal: float | None
    reached: bool


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def in_turns(contenders: dict[str, Callable[[], object]], rounds: int) -> dict:
    """Time every contender once a round, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            spent = seconds(run)
            if number:
                times[name].append(spent)
    return times


def against(times: dict, name: str, rival: str, units: int, goal: float | None) -> Row:
    """Compare "ours" with a rival; a ratio above 1 means that ours is faster."""
    ratios = sorted(r / o for o, r in zip(times["ours"], times[rival], strict=True))
    ratio = median(ratios)
    return Row(
        name,
        rival,
        1e3 * median(times["ours"]) / units,
        1e3 * median(times[rival]) / units,
        ratio,
        ratios[0],
        ratios[-1],
        goal,
        goal is None or ratio >= goal,
    )


def report(title: str, file: str | None, unit: str, rows: list[Row]) -> None:
    """Print a table and write it as JSON, if a file is named."""
    print(f"\n{title}")
    print(f"(CPU ms of one {unit}, one thread; ratio = rival / ours: median, range)")
    head = f"{'case':<34}{'rival':<18}{'ours':>8}{'rival':>9}  "
    head += f"{'ratio':<20}{'goal':<9}"
    print(head + "\n" + "-" * len(head))
    for r in rows:
        spread = f"{r.ratio:.2f} [{r.low:.2f}-{r.high:.2f}]"
        goal = "" if r.goal is None else f">= {r.goal:.2f}"
        verdict = "" if r.goal is None else "reached" if r.reached else "MISSED"
        print(
            f"{r.name:<34}{r.rival:<18}{r.ours_ms:>8.1f}{r.rival_ms:>9.1f}  "
            f"{spread:<20}{goal:<9}{verdict}"
        )
    if file is None:
        return
    packages = ("torch", "skorch", "scikit-learn", "numpy")
    content = {
        "title": title,
        "unit": f"CPU ms of one {unit}",
        "processor": platform.machine(),
        "python": platform.python_version(),
        "versions": {p: version(p) for p in packages},
        "threads": torch.get_num_threads(),
        "rows": [vars(r) for r in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / file).write_text(json.dumps(content, indent=2) + "\n")
