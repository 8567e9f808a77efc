"""Tables for the documentation, from the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .registry import FAMILIES
from .results import RESULTS, read
from .summary import Totals, fastest_peer, has_limit, missed, peers, totals

__all__ = ["family_page", "summary_page", "summary_table", "table", "write_pages"]

Row = dict[str, Any]
NOTHING = "Not measured yet: run `make bench`.\n"
CLOCKS = {"cpu": "CPU time, one thread", "wall": "wall time, {} threads"}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def family_page(content: dict[str, Any]) -> str:
    """Return the tables of one family."""
    rows = content["rows"]
    if not rows:
        return NOTHING
    parts = [*_speed_parts(rows), *_other_parts(rows), *_notes(rows)]
    parts.extend(_environments(content["environments"]))
    return "\n\n".join(parts) + "\n"


def summary_page(families: dict[str, dict[str, Any]]) -> str:
    """Return the table of all families and the targets that were missed."""
    if not any(content["rows"] for content in families.values()):
        return NOTHING
    misses = [
        f"- {family}: {sentence}"
        for family, content in families.items()
        for sentence in missed(content["rows"])
    ]
    text = "Targets missed:\n\n" + "\n".join(misses) if misses else "No target missed."
    return f"{summary_table(families)}\n\n{text}\n"


def summary_table(families: dict[str, dict[str, Any]]) -> str:
    """Return one row a family and number of threads."""
    head = ["family", "threads", "rows", "ours / limit: median", "worst", "within 1.10"]
    head += ["fastest peer beaten", "3x or more"]
    cells = []
    for family, content in families.items():
        speed = [row for row in content["rows"] if row["kind"] == "speed"]
        for threads in sorted({row["threads"] for row in speed}):
            found = totals(row for row in speed if row["threads"] == threads)
            cells.append([family, str(threads), *_total_cells(found)])
    return table(head, cells)


def write_pages(folder: Path = RESULTS) -> None:
    """Write the Markdown of every family, and the summary."""
    found = {family: read(family, folder) for family in FAMILIES}
    for family, content in found.items():
        (folder / f"speed_{family}.md").write_text(family_page(content))
    (folder / "speed.md").write_text(summary_page(found))


def _total_cells(found: Totals) -> list[str]:
    return [
        str(found.rows),
        "" if found.limit_median is None else f"{found.limit_median:.2f}",
        "" if found.limit_worst is None else f"{found.limit_worst:.2f}",
        f"{found.within} of {found.with_limit}",
        f"{found.beaten} of {found.peers}",
        f"{found.much} of {found.peers}",
    ]


def _speed_parts(rows: list[Row]) -> Iterator[str]:
    """Yield a table for each number of threads."""
    speed = [row for row in rows if row["kind"] == "speed"]
    head = ["case", "ours", "ours / limit", "peer / ours", "fastest peer"]
    for threads in sorted({row["threads"] for row in speed}):
        chosen = [row for row in speed if row["threads"] == threads]
        title = CLOCKS[chosen[0]["clock"]].format(threads)
        yield f"**{title[0].upper()}{title[1:]}**"
        yield table(head, [_speed_cells(row) for row in chosen])


def _speed_cells(row: Row) -> list[str]:
    rivals = peers(row)
    shown = [f"{name} {spread(found)}" for name, found in rivals.items()]
    shown += [f"{name}: {why}" for name, why in row["absent"].items()]
    best = f"{fastest_peer(row)[1]:.2f}x" if rivals else ""
    limit = spread(inverse(row["against"]["limit"])) if has_limit(row) else ""
    ours = f"{number(row['ours_ms'])} ms / {row['unit']}"
    return [row["name"], ours, limit, "<br>".join(shown), best]


def number(value: float) -> str:
    """Return three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spread(found: dict[str, float]) -> str:
    """Return median, quartiles and range."""
    q = f"{found['q1']:.2f}-{found['q3']:.2f}"
    return f"**{found['ratio']:.2f}** ({q}; {found['low']:.2f}-{found['high']:.2f})"


def inverse(found: dict[str, float]) -> dict[str, float]:
    """Return the same with ours above the fraction line."""
    pairs = {"ratio": "ratio", "low": "high", "q1": "q3", "q3": "q1", "high": "low"}
    return {name: 1 / found[other] for name, other in pairs.items()}


def _other_parts(rows: list[Row]) -> Iterator[str]:
    scaling = [row for row in rows if row["kind"] == "scaling"]
    if scaling:
        head = ["growth of cost", "over", "sizes", "exponent ± standard error"]
        yield table(head, [_scaling_cells(row) for row in scaling])
    memory = [row for row in rows if row["kind"] == "memory"]
    if memory:
        head = ["memory", "data, weights, optimiser", "peak of a fit", "ratio"]
        yield table(head, [_memory_cells(row) for row in memory])


def _scaling_cells(row: Row) -> list[str]:
    sizes = f"{row['sizes'][0]:,} to {row['sizes'][-1]:,}"
    exponent = f"{row['exponent']:.2f} ± {row['error']:.2f}"
    return [row["name"], row["variable"], sizes, exponent]


def _memory_cells(row: Row) -> list[str]:
    needed, peak = f"{row['needed_mb']:,.0f} MB", f"{row['peak_mb']:,.0f} MB"
    return [row["name"], needed, peak, f"{row['ratio']:.2f}"]


def _notes(rows: list[Row]) -> Iterator[str]:
    """Yield what was checked before the clock ran."""
    seen = {r["name"]: r["agreement"] for r in rows if r["kind"] == "speed"}
    if seen:
        yield "Checked before timing:"
        yield "\n".join(f"- {name}: {sentence}" for name, sentence in seen.items())


def _environments(environments: dict[str, dict[str, Any]]) -> Iterator[str]:
    for date, where in environments.items():
        versions = ", ".join(f"{n} {v}" for n, v in where["versions"].items())
        yield (
            f"Measured {date[:10]} on {where['cores']} cores of {where['processor']}, "
            f"Python {where['python']}, {versions}: `{where['command']}`."
        )
