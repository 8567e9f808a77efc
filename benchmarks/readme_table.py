"""Write the measured ratios from benchmarks/results into the README.

Run: ``make bench`` (which ends with it) or ``python benchmarks/readme_table.py``.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from suite.markdown import summary_table
from suite.registry import FAMILIES
from suite.results import read

ROOT = Path(__file__).parents[1]

# How the README calls methods whose names in the results are short.
SHIFT_METHODS = {
    "source only": "`DANNClassifier(lambda_=0)`: source only",
    "statistics of batches only": "statistics only",
    "DANN": "`DANNClassifier()`",
    'DANN, domain_norm="adabn"': '`DANNClassifier(domain_norm="adabn")`',
    "S+T": "3 labels a class in the target: source and labels only",
    "DANN with target labels": '3 labels: `DANNClassifier(target_labels="use")`',
    "MME": "3 labels: `MMEClassifier()`",
}


CHARACTER_METHODS = {
    "protonet": "`ProtoNetClassifier`, 30 ways in training, short",
    "protonet, longer": "the same, longer",
    "maml": "`MAMLClassifier(n_way=5)`, one step of 0.4",
    "maml, proto head, 20 ways": '`MAMLClassifier(head="proto", n_way=20)`',
    "anil, zero head, 20 ways": 'the same with `method="anil", head="zero"`',
    "first order": 'one step of 0.4, `method="fomaml"`',
    "fine-tuning": "`FineTuneClassifier`",
    "from scratch": "from scratch",
}


PARTS = {"digits": "digits", "cancer": "breast cancer"}

SAMPLERS = {
    "real": "the training data themselves",
    "CGANSampler": "`CGANSampler`",
    "GaussianMixture": "a Gaussian mixture for each class",
    "KernelDensity": "a kernel density for each class",
    "SMOTE": "SMOTE, new rows only",
    "CTGAN": "CTGAN 0.12.1, its defaults, one split",
}


def rows(stem: str) -> list[dict[str, Any]]:
    """Return the rows of one result."""
    path = ROOT / f"benchmarks/results/{stem}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    return found


def line(cells: list[str]) -> str:
    """Return one line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def speed() -> list[str]:
    """Return one row a family that was measured."""
    return summary_table({family: read(family) for family in FAMILIES}).splitlines()


def mil_cv() -> list[str]:
    """One row a measurement in seconds."""
    head = ["128 MB of bags; Citation-kNN on 6,600 instances", "seconds (range)"]
    cells = [
        [r["name"], f"{r['seconds']:.2f} ({r['low']:.2f}-{r['high']:.2f})"]
        for r in rows("mil_cv")
    ]
    return [line(head), line(["---"] * 2), *map(line, cells)]


def mil_sets() -> list[str]:
    """One row a method, one column a set."""
    table: dict[str, dict[str, str]] = {}
    for r in rows("mil_sets"):
        cell = f"{r['accuracy']:.3f} ± {r['sd']:.3f} ({r['auc']:.3f})"
        table.setdefault(r["method"], {})[r["set"]] = cell
    sets = list(next(iter(table.values())))
    cells = [[name, *(found[s] for s in sets)] for name, found in table.items()]
    return [line(["method", *sets]), line(["---"] * (1 + len(sets))), *map(line, cells)]


def da_digits() -> list[str]:
    """One row a method, one column a shift."""
    table: dict[str, dict[str, str]] = {}
    for r in rows("da_digits"):
        if r["part"] in ("defaults", "shots"):
            found = table.setdefault(SHIFT_METHODS.get(r["method"], r["method"]), {})
            found[r["task"]] = f"{r['accuracy']:.2f} ± {r['sd']:.2f}"
    shifts = list(next(iter(table.values())))
    cells = [[name, *(found[s] for s in shifts)] for name, found in table.items()]
    return [line(["", *shifts]), line(["---"] * (1 + len(shifts))), *map(line, cells)]


def meta_omniglot() -> list[str]:
    """One row a method."""
    cells = [
        [
            CHARACTER_METHODS[r["method"]],
            f"{100 * r['accuracy']:.1f} ± {100 * r['ci95']:.1f} %",
            f"{r['cpu_seconds']:.0f}",
        ]
        for r in rows("meta_omniglot")
    ]
    head = ["new characters, 5-way 1-shot", "accuracy", "CPU s of training"]
    return [line(head), line(["---"] * 3), *map(line, cells)]


def gan_tables() -> list[str]:
    """One row a sampler, for digits and breast cancer."""
    path = ROOT / "benchmarks/results/gan_tables.json"
    found: dict[str, Any] = json.loads(path.read_text())
    measures = {
        "logistic": "trained on it, tested on real",
        "c2st": "told from real (AUC)",
        "coverage": "coverage",
        "dcr": "nearer to training rows",
    }
    table = []
    for part in ("digits", "cancer"):
        for sampler, row in found[part].items():
            cells = []
            for name in measures:
                mean, sd = statistics.mean(row[name]), statistics.pstdev(row[name])
                cells.append(f"{mean:.2f} ± {sd:.2f}")
            table.append([PARTS[part], SAMPLERS.get(sampler, sampler), *cells])
    head = ["data", "samples of", *measures.values()]
    return [line(head), line(["---"] * len(head)), *map(line, table)]


def loaded(stem: str) -> Any:
    """Return a result as it is; nothing where it was not measured yet."""
    path = ROOT / f"benchmarks/results/{stem}.json"
    return json.loads(path.read_text()) if path.exists() else None


def mean_sd(values: list[float], digits: int = 3) -> str:
    """Return mean and standard deviation."""
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {sd:.{digits}f}"


def by_sampler(parts: dict[str, Any], hidden: tuple[str, ...] = ()) -> list[str]:
    """One row a data set and sampler, one column a measure."""
    names = [
        n for n in next(iter(next(iter(parts.values())).values())) if n not in hidden
    ]
    table = [
        [part, SAMPLERS.get(sampler, sampler)]
        + [mean_sd(row[n]) if n in row else "" for n in names]
        for part, found in parts.items()
        for sampler, row in found.items()
    ]
    head = ["data", "samples of", *names]
    return [line(head), line(["---"] * len(head)), *map(line, table)]


def gan_quality() -> list[str]:
    """Return all metrics of samples of digits and breast cancer."""
    found = loaded("gan_tables")
    parts = {PARTS[part]: found[part] for part in PARTS}
    return by_sampler(parts, ("collapsed", "frechet", "on the grid"))


def gan_columns() -> list[str]:
    """One row a measure."""
    found = loaded("gan_tables")
    cells = [[n, mean_sd(v)] for n, v in found["columns"]["CGANSampler"].items()]
    cells += [
        [f"diabetes, {name}, {sampler}", mean_sd(row[name])]
        for sampler, row in found["diabetes"].items()
        for name in ("r2", "obeyed")
    ]
    return [line(["", "mean ± sd"]), line(["---"] * 2), *map(line, cells)]


def gan_balance() -> list[str]:
    """One row a task and way."""
    found = loaded("gan_tables")
    parts = {
        key.partition(": ")[2]: value
        for key, value in found.items()
        if key.startswith("balance")
    }
    return by_sampler(parts)


def gan_phantom() -> list[str]:
    """One row a kind of frames, one column a measure."""
    found = loaded("gan_phantom")
    if found is None:
        return []
    names = list(found[0]["CGANSampler"])
    table = [
        [kind]
        + [
            mean_sd([one[kind][n] for one in found], 2) if n in found[0][kind] else ""
            for n in names
        ]
        for kind in found[0]
    ]
    return [line(["", *names]), line(["---"] * (1 + len(names))), *map(line, table)]


def gan_translation() -> list[str]:
    """One row a method."""
    cells = [
        [
            r["method"],
            f"{r['mae']:.3f} ± {r['mae_sd']:.3f}",
            f"{r['ssim']:.3f} ± {r['ssim_sd']:.3f}",
        ]
        for r in rows("gan_translation")
    ]
    return [line(["method", "MAE", "SSIM"]), line(["---"] * 3), *map(line, cells)]


def guide() -> None:
    """Replace the tables of the guide to conditional generation."""
    path = ROOT / "docs/user_guide/generation.md"
    text = path.read_text()
    for name, table in {
        "quality": gan_quality,
        "columns": gan_columns,
        "balance": gan_balance,
        "phantom": gan_phantom,
        "translation": gan_translation,
    }.items():
        text = replaced(text, name, table())
    path.write_text(text)


def replaced(text: str, name: str, table: list[str]) -> str:
    """Return the text with another table between the markers of that name."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    head, _, rest = text.partition(begin)
    joined = "\n".join(table)
    return f"{head}{begin}\n{joined}\n{end}{rest.partition(end)[2]}"


def main() -> None:
    """Replace the text between the markers."""
    path = ROOT / "README.md"
    text = replaced(path.read_text(), "sets", mil_sets())
    text = replaced(text, "shifts", da_digits())
    text = replaced(text, "characters", meta_omniglot())
    text = replaced(text, "samples", gan_tables())
    guide()
    path.write_text(replaced(text, "bench", [*speed(), "", *mil_cv()]))


if __name__ == "__main__":
    main()
