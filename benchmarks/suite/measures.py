"""What is not a race: how cost grows, and how much memory a fit takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from .timing import Run, in_turns

__all__ = ["Memory", "Scaling", "exponent"]


@dataclass
class Scaling:
    """CPU time over a size, and the exponent that fits.

    Parameters
    ----------
    variable : str
        What grows, such as ``"instances"``.
    sizes : sequence of int
        Four or five, over a decade.
    make : callable
        Size -> what to run. Called before the clock runs.
    """

    variable: str
    sizes: Sequence[int]
    make: Callable[[int], Run]

    def measure(self, threads: int, rounds: int) -> dict[str, Any]:
        """Return the row: a line through the logarithms of the medians."""
        runs = {str(size): self.make(size) for size in self.sizes}
        times = in_turns(runs, rounds)
        seconds = [median(times[str(size)]) for size in self.sizes]
        slope, error = exponent(self.sizes, seconds)
        return {
            "kind": "scaling",
            "variable": self.variable,
            "rounds": rounds,
            "sizes": list(self.sizes),
            "ms": [1e3 * s for s in seconds],
            "exponent": slope,
            "error": error,
        }


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Return the slope of log(seconds) over log(sizes), and its standard error."""
    x, y = [math.log(s) for s in sizes], [math.log(s) for s in seconds]
    mx, my = mean(x), mean(y)
    spread = sum((a - mx) ** 2 for a in x)
    slope = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / spread
    left = sum((b - my - slope * (a - mx)) ** 2 for a, b in zip(x, y, strict=True))
    return slope, math.sqrt(left / (len(x) - 2) / spread)


@dataclass
class Memory:
    """Peak of resident memory while data are made and a model is fitted (Linux).

    Parameters
    ----------
    warm : callable
        A tiny fit, so that what is loaded once does not count.
    run : callable
        Makes the data and fits; returns the bytes that are needed: data, weights,
        state of the optimiser.
    """

    warm: Run
    run: Callable[[], int]

    def measure(self, threads: int, rounds: int) -> dict[str, Any]:
        """Return the row; one round, since the peak hardly varies."""
        self.warm()
        # Linux: the peak starts anew from what is resident now.
        Path("/proc/self/clear_refs").write_text("5")
        before = peak_bytes()
        needed = self.run()
        growth = peak_bytes() - before
        return {
            "kind": "memory",
            "needed_mb": needed / 1e6,
            "peak_mb": growth / 1e6,
            "ratio": growth / needed,
        }


def peak_bytes() -> int:
    """Return the highest resident memory so far, or since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM")
