"""One case in a fresh process, and the parent that asks for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from .registry import Entry, load

__all__ = ["Failed", "in_fresh_process", "run_here"]

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ROOT = Path(__file__).parents[1]


class Failed(RuntimeError):
    """A case ended in an error, such as results that do not agree."""


def run_here(entry: Entry, threads: int, rounds: int) -> dict[str, Any]:
    """Measure a case in this process."""
    row = entry.make().measure(threads, rounds)
    return {"name": entry.name, "family": entry.family, "threads": threads, **row}


def in_fresh_process(entry: Entry, threads: int, rounds: int) -> dict[str, Any]:
    """Measure a case in a process of its own, which has that many threads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.json"
        task = [entry.family, entry.name, threads, rounds, str(path)]
        found = subprocess.run(
            [sys.executable, "-m", "suite.worker", json.dumps(task)],
            env=os.environ
            | dict.fromkeys(THREADS, str(threads))
            | {"MLMI_SKLEARN_PLUGINS": "none", "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if found.returncode or not path.exists():
            raise Failed(found.stderr.strip() or f"exit status {found.returncode}")
        row: dict[str, Any] = json.loads(path.read_text())
        return row


def main() -> None:
    """Measure the case that the argument names."""
    family, name, threads, rounds, path = json.loads(sys.argv[1])
    warnings.simplefilter("ignore")  # peers: not converged, deprecated
    entries = {entry.name: entry for entry in load((family,))}
    row = run_here(entries[name], threads, rounds)
    Path(path).write_text(json.dumps(row))


if __name__ == "__main__":
    main()
