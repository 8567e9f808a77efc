"""Rows on disk: one file a family, rows replaced by name when a case runs again."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "environment", "merged", "read", "write"]

RESULTS = Path(__file__).parents[1] / "results"
PACKAGES = (
    "mlmi-sklearn",
    "torch",
    "skorch",
    "scikit-learn",
    "numpy",
    "torchmil",
    "skada",
    "ctgan",
)

Rows = list[dict[str, Any]]


def environment(command: str) -> dict[str, Any]:
    """Return when, where and with what something is measured."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {p: v for p in PACKAGES if (v := _version(p))},
    }


def merged(
    old: dict[str, Any],
    rows: Rows,
    where: dict[str, Any],
    known: Collection[str] | None = None,
) -> dict[str, Any]:
    """Put rows into what is there; those of the same name and threads are replaced.

    Each row names its environment by date. Environments that no row names any more are
    dropped, and so are rows of cases that are not ``known``.
    """
    fresh = {(r["name"], r["threads"]): {**r, "measured": where["date"]} for r in rows}
    kept = [
        fresh.pop((row["name"], row["threads"]), row) for row in old.get("rows", [])
    ]
    found = [
        row for row in (*kept, *fresh.values()) if known is None or row["name"] in known
    ]
    used = {row["measured"] for row in found}
    environments = {**old.get("environments", {}), where["date"]: where}
    return {
        "rows": found,
        "environments": {d: e for d, e in environments.items() if d in used},
    }


def read(family: str, folder: Path = RESULTS) -> dict[str, Any]:
    """Return the results of a family, empty where there are none."""
    path = folder / f"speed_{family}.json"
    if not path.exists():
        return {"rows": [], "environments": {}}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def write(family: str, content: dict[str, Any], folder: Path = RESULTS) -> None:
    """Write the results of a family."""
    folder.mkdir(exist_ok=True)
    path = folder / f"speed_{family}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()
