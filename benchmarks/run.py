"""Time the package beside the raw loop and beside its peers.

Every case runs in a fresh process. Contenders take turns there, after their results
were compared; CPU seconds count with one thread, wall seconds with two. Rows go to
``benchmarks/results/speed_<family>.json``, tables to the Markdown files beside them.

Run: ``make bench``, ``make bench FAMILY=mil`` or
``python benchmarks/run.py [families] [--only TEXT]``.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from suite.markdown import family_page, write_pages
from suite.registry import FAMILIES, Entry, load, registered
from suite.results import environment, merged, read, write
from suite.worker import Failed, in_fresh_process


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", metavar="family", help=str(FAMILIES))
    parser.add_argument("--only", default="", help="text in the name of the case")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="one round; not written")
    parser.add_argument("--list", action="store_true", help="names of the cases")
    options = parser.parse_args()
    unknown = set(options.families) - set(FAMILIES)
    if unknown:
        parser.error(f"no family {sorted(unknown)}; there are {', '.join(FAMILIES)}")
    return options


def chosen(options: argparse.Namespace) -> list[Entry]:
    families = tuple(
        f for f in options.families or FAMILIES if find_spec(f"cases.{f}") is not None
    )
    return [entry for entry in load(families) if options.only in entry.name]


def jobs(options: argparse.Namespace) -> Iterator[tuple[Entry, int]]:
    for entry in chosen(options):
        for threads in options.threads:
            if threads in entry.threads:
                yield entry, threads


def told(row: dict[str, Any]) -> str:
    """Return a row in one line of the terminal."""
    if row["kind"] == "scaling":
        return f"exponent {row['exponent']:.2f} ± {row['error']:.2f}"
    if row["kind"] == "memory":
        return f"{row['peak_mb']:.0f} MB, {row['ratio']:.2f} of what is needed"
    rivals = [f"{n} {r['ratio']:.2f}x" for n, r in row["against"].items()]
    absent = [f"{n}: {why}" for n, why in row["absent"].items()]
    return f"{row['ours_ms']:.3g} ms a {row['unit']}; {'; '.join(rivals + absent)}"


def main() -> int:
    options = arguments()
    if options.list:
        for entry in chosen(options):
            print(f"{entry.family}: {entry.name} {list(entry.threads)}")
        return 0
    where = environment(shlex.join(["python", "benchmarks/run.py", *sys.argv[1:]]))
    rows: dict[str, list[dict[str, Any]]] = {}
    failures = 0
    for entry, threads in jobs(options):
        title, start = f"{entry.family}: {entry.name} [{threads}]", time.perf_counter()
        try:
            rounds = 1 if options.quick else options.rounds
            row = in_fresh_process(entry, threads, rounds)
        except Failed as error:
            failures += 1
            print(f"{title}: FAILED\n{error}", flush=True)
            continue
        took = time.perf_counter() - start
        print(f"{title}: {told(row)} ({took:.0f} s)", flush=True)
        rows.setdefault(entry.family, []).append(row)
        if not options.quick:
            known = {other.name for other in registered((entry.family,))}
            write(entry.family, merged(read(entry.family), [row], where, known))
            write_pages()
    for family, found in rows.items():
        print(f"\n## {family}\n\n{family_page(merged({}, found, where))}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
