"""Helpers of this folder are imported by name: pytest's import mode does not add it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


def pytest_terminal_summary(terminalreporter):
    """Say how many cases of odd arguments were judged."""
    counts = getattr(sys.modules.get("fuzzing"), "COUNTS", None)
    if counts:
        kinds = ("predicted", "refused", "diverged")
        parts = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
        total = sum(counts[kind] for kind in kinds)
        terminalreporter.write_line(f"odd arguments: {total} cases judged ({parts})")
