"""What the rows say of the targets.

Against the limit, a raw loop of the same maths: 1.10 times its cost or less in the
median of the rounds, and never above 1.25. Against peers: faster everywhere, three
times on most rows. Memory: 1.3 times what is needed. Growth: linear, exponent 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

__all__ = ["Totals", "missed", "totals"]

LIMIT_MEDIAN, LIMIT_WORST = 1.10, 1.25
FASTER, MUCH_FASTER = 1.0, 3.0
MEMORY, EXPONENT = 1.3, 1.1
Row = dict[str, Any]


@dataclass(frozen=True)
class Totals:
    """A family in numbers; None where no row has such a contender."""

    rows: int
    limit_median: float | None
    limit_worst: float | None
    within: int
    with_limit: int
    beaten: int
    much: int
    peers: int


def totals(rows: Iterable[Row]) -> Totals:
    """Return the numbers of rows of speed."""
    rows = [row for row in rows if row["kind"] == "speed"]
    limits = [1 / row["against"]["limit"]["ratio"] for row in rows if has_limit(row)]
    fastest = [fastest_peer(row)[1] for row in rows if peers(row)]
    return Totals(
        len(rows),
        median(limits) if limits else None,
        max(limits, default=None),
        sum(ratio <= LIMIT_MEDIAN for ratio in limits),
        len(limits),
        sum(ratio > FASTER for ratio in fastest),
        sum(ratio >= MUCH_FASTER for ratio in fastest),
        len(fastest),
    )


def has_limit(row: Row) -> bool:
    """Tell whether a row was compared with a raw loop."""
    return "limit" in row["against"]


def peers(row: Row) -> dict[str, dict[str, float]]:
    """Return the rivals that are not the limit."""
    return {n: r for n, r in row["against"].items() if n != "limit"}


def fastest_peer(row: Row) -> tuple[str, float]:
    """Return the name and the ratio of the fastest peer."""
    name, found = min(peers(row).items(), key=lambda item: item[1]["ratio"])
    return name, found["ratio"]


def missed(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a sentence for each target that a row misses."""
    for row in rows:
        where = f"{row['name']}, {_threads(row)}"
        yield from (f"{where}: {what}" for what in _missed(row))


def _missed(row: Row) -> Iterator[str]:
    if row["kind"] == "memory" and row["ratio"] > MEMORY:
        yield f"{row['ratio']:.2f} times what is needed, aim {MEMORY}"
    if row["kind"] == "scaling" and row["exponent"] - 2 * row["error"] > EXPONENT:
        yield f"exponent {row['exponent']:.2f}, aim 1"
    if row["kind"] == "speed":
        yield from _missed_speed(row)


def _missed_speed(row: Row) -> Iterator[str]:
    if has_limit(row):
        ratio = 1 / row["against"]["limit"]["ratio"]
        if ratio > LIMIT_MEDIAN:
            aim = LIMIT_WORST if ratio > LIMIT_WORST else LIMIT_MEDIAN
            yield f"{ratio:.2f} times the limit, aim {aim:.2f}"
    aim = row.get("aim", FASTER)
    for name, found in peers(row).items():
        if found["ratio"] < aim:
            yield f"{name} takes {found['ratio']:.2f} times ours, aim {aim:.2f}"


def _threads(row: Row) -> str:
    return "one thread" if row["threads"] == 1 else f"{row['threads']} threads"
