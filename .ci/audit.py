"""Whether the pinned releases have known weaknesses, and which were not looked up.

    python .ci/audit.py
    python .ci/audit.py --where-possible

pip-audit passes over a release that its database does not know, and still calls the
whole free of weaknesses. Here that fails, unless ``--where-possible`` is given, for
machines that do not reach the database: then it is only said.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """Look all pins up; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--where-possible", action="store_true")
    options = parser.parse_args(arguments)
    found = look_up(ROOT / "constraints.txt")
    weak, unknown = weaknesses(found), [d["name"] for d in found if "vulns" not in d]
    print(f"{len(found) - len(unknown)} of {len(found)} pinned releases looked up")
    if unknown:
        more = f" and {len(unknown) - 9} more" if len(unknown) > 9 else ""
        print("not looked up:", ", ".join(unknown[:9]) + more)
    if len(unknown) < len(found):
        print("\n".join(weak) or "no weakness is known of those looked up")
    return int(bool(weak or (unknown and not options.where_possible)))


def look_up(pins: Path) -> list[dict]:
    """Return what pip-audit says of each release; none of it without the database."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(pins)]
    command += ["--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        return json.loads(done.stdout)["dependencies"]
    except ValueError:
        print(done.stderr[-1000:], file=sys.stderr)
        lines = [line.split("==") for line in pins.read_text().splitlines()]
        return [{"name": line[0]} for line in lines if len(line) == 2]


def weaknesses(found: list[dict]) -> list[str]:
    """Return a line for each known weakness of each release."""
    return [
        f"{release['name']} {release['version']}: {weakness['id']}, mended in "
        + (", ".join(weakness["fix_versions"]) or "no release")
        for release in found
        for weakness in release.get("vulns", [])
    ]


if __name__ == "__main__":
    sys.exit(main())
