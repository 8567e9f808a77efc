"""How many small errors, put into a part of the package, its tests notice.

    python .ci/mutation.py persistence --sample 200

mutmut changes a copy of the package, one mutant at a time, and runs the tests that
reach the changed function. Tests that cannot bear its wrappers (they look at the frame
of a caller, say) are found first and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ["mlmi_sklearn", "tests", "docs", "plugins", "benchmarks", "Makefile"]
COPIED += ["pyproject.toml", "setup.cfg", "constraints.txt"]
COPIED += ["README.md", "CHANGELOG.md", "LICENSE"]

#: What is changed, and the tests that have to notice.
PARTS: dict[str, tuple[list[str], list[str]]] = {
    "mil": (
        ["mil/*"],
        ["unit/mil", "properties/test_mil_*.py"],
    ),
    "domain_adaptation": (
        [
            "domain_adaptation/*",
            "nn/divergences/*",
            "nn/gradient_reversal.py",
            "metrics/domain*",
            "metrics/_domain_arrays.py",
        ],
        [
            "unit/domain_adaptation",
            "unit/metrics/test_domain_*.py",
            "unit/nn/test_divergences*.py",
            "unit/nn/test_gradient_reversal.py",
            "properties/test_class_shares.py",
            "properties/test_domain_*.py",
            "properties/test_nn_divergences.py",
        ],
    ),
    "training": (
        ["training/*"],
        # Without those that train for seconds: waiting, compiling, checkpoints.
        [
            "unit/training/test_[!cn]*.py",
            "unit/training/test_c[!o]*.py",
            "unit/training/test_net.py",
            "unit/base",
            "scale/test_gpus.py",
        ],
    ),
    "persistence": (["persistence/*"], ["unit/persistence"]),
}

#: How mutmut names what became of a mutant, by the exit code of its tests.
OUTCOMES = {0: "survived", 1: "killed", 3: "killed", 33: "no tests"}
OUTCOMES |= dict.fromkeys((36, 24, -24, 152, 255), "timeout")  # of the wall, of the CPU


def main() -> None:
    """Mutate, test, and print the score and the survivors."""
    arguments = parse()
    work = arguments.work / arguments.part
    if not arguments.go_on:
        prepare(work, arguments.part)
        # Generates; its tests may fail yet, and are looked at next.
        mutmut(work, arguments.jobs)
        configure(work, arguments.part, unfit(work, arguments.part))
    names = sample(work, arguments.sample, arguments.seed)
    mutmut(work, arguments.jobs, *names)
    report(work, names, arguments.show)


def parse() -> argparse.Namespace:
    """Return the arguments of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--sample", type=int, help="so many mutants; default: all")
    parser.add_argument("--seed", type=int, default=0, help="which are drawn")
    parser.add_argument("--jobs", type=int, default=2, help="tests run side by side")
    parser.add_argument("--work", type=Path, default=ROOT / ".mutation")
    parser.add_argument("--go-on", action="store_true", help="with the copy there is")
    parser.add_argument("--show", action="store_true", help="survivors as patches")
    return parser.parse_args()


def prepare(work: Path, part: str) -> None:
    """Copy what git knows of the project."""
    shutil.rmtree(work, ignore_errors=True)
    files = subprocess.run(
        ["git", "ls-files", "-z", *COPIED], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, work / name)
    configure(work, part, [])


def configure(work: Path, part: str, deselected: list[str]) -> None:
    """Write the settings of mutmut below those of the project."""
    sources, _ = PARTS[part]
    chosen = ["-p", "no:cacheprovider", "-m", "not slow"]
    chosen += [f"--deselect={name}" for name in deselected]
    settings = {
        "source_paths": ["mlmi_sklearn"],
        "only_mutate": [f"mlmi_sklearn/{pattern}" for pattern in sources],
        "pytest_add_cli_args": chosen,
        "pytest_add_cli_args_test_selection": tests_of(work, part),
        "also_copy": [name for name in COPIED if name not in ("mlmi_sklearn", "tests")],
        "process_isolation": "forkserver",
        "track_dependencies": False,
        "use_git_change_detection": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    text = (ROOT / "pyproject.toml").read_text()
    (work / "pyproject.toml").write_text(
        "\n".join([text, "[tool.mutmut]", *lines, ""]), encoding="utf-8"
    )


def tests_of(work: Path, part: str) -> list[str]:
    """Return the paths of the tests of a part."""
    _, patterns = PARTS[part]
    found = [path for p in patterns for path in sorted((work / "tests").glob(p))]
    return [str(path.relative_to(work)) for path in found]


def environment(work: Path) -> dict[str, str]:
    """Other processes that tests start find the mutated package as well."""
    return {
        **os.environ,
        "PYTHONPATH": str(work / "mutants"),
        "OMP_NUM_THREADS": "1",
        "MLMI_SKLEARN_PLUGINS": "none",
    }


def mutmut(work: Path, jobs: int, *names: str) -> None:
    """Run mutmut on some mutants, or all; what it says goes to a log."""
    command = [sys.executable, "-m", "mutmut", "run", f"--max-children={jobs}", *names]
    with (work.parent / f"{work.name}.log").open("a") as log:
        subprocess.run(
            command,
            cwd=work,
            env=environment(work),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )


def unfit(work: Path, part: str) -> list[str]:
    """Return the tests that fail with no mutant at work."""
    options = ["--rootdir=.", "-q", "--tb=no", "-p", "no:cacheprovider", "-m=not slow"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests_of(work, part)],
        cwd=work / "mutants",
        env={**environment(work), "MUTANT_UNDER_TEST": "stats"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    found = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    print(f"{len(found)} tests are left out:", *found, sep="\n  ")
    return found


def results(work: Path) -> dict[str, int | None]:
    """Return the exit code of the tests of each mutant; None before they ran."""
    codes: dict[str, int | None] = {}
    for path in sorted(work.glob("mutants/**/*.py.meta")):
        codes.update(json.loads(path.read_text())["exit_code_by_key"])
    return codes


def sample(work: Path, size: int | None, seed: int) -> list[str]:
    """Return the names of so many mutants, drawn at random; all of them for None."""
    names = sorted(results(work))
    if size is None or size >= len(names):
        return names
    return random.Random(seed).sample(names, size)


def report(work: Path, names: list[str], show: bool) -> None:
    """Print the score, and what survived."""
    codes = results(work)
    outcomes = {name: OUTCOMES.get(codes[name] or 0, "other") for name in names}
    outcomes |= {name: "not run" for name in names if codes[name] is None}
    counts = Counter(outcomes.values())
    noticed = counts["killed"] + counts["timeout"]
    judged = noticed + counts["survived"] + counts["no tests"]
    print(f"{len(codes)} mutants, {len(names)} chosen: {dict(counts)}")
    print(f"score {noticed / max(judged, 1):.1%} of {judged}")
    for name, outcome in sorted(outcomes.items()):
        if outcome in ("survived", "no tests", "other", "not run"):
            print(f"{outcome}: {name}")
            if show and outcome == "survived":
                print(patch(work, name))


def patch(work: Path, name: str) -> str:
    """Return the lines that a mutant takes away and adds."""
    text = subprocess.run(
        [sys.executable, "-m", "mutmut", "show", name],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return "\n".join(re.findall(r"^[-+][^-+].*", text, re.MULTILINE))


if __name__ == "__main__":
    main()
