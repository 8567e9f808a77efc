"""Write the measured ratios from benchmarks/results into the README.

Run: ``make bench`` (which ends with it) or ``python benchmarks/readme_table.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
TITLES = {"engine": "training, NetClassifier", "mil": "gated attention, MILClassifier"}


def table() -> str:
    """Return a Markdown table of all results."""
    lines = ["| work | rival | rival / ours | range |", "|---|---|---|---|"]
    for stem, title in TITLES.items():
        content = json.loads((ROOT / f"benchmarks/results/{stem}.json").read_text())
        lines += [
            f"| {title}: {row['name']} | {row['rival']} | {row['ratio']:.2f} "
            f"| {row['low']:.2f}-{row['high']:.2f} |"
            for row in content["rows"]
        ]
    return "\n".join(lines)


def main() -> None:
    """Replace the text between the markers."""
    path = ROOT / "README.md"
    text = path.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    path.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}")


if __name__ == "__main__":
    main()
