"""Which poolings keep the standard assumption: the table of the user guide.

Every built-in pooling under the algorithmic unit tests of Raff and Holt (500 bags, 40
epochs, one seed), as train and test AUC with the verdict of ``check_mil_assumption``.

Run: ``python benchmarks/bench_mil_assumption.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

from mlmi_sklearn import MILClassifier, check_mil_assumption, list_components

RESULTS = Path(__file__).parent / "results" / "mil_assumption.json"


def main() -> None:
    names = [part.name for part in list_components("pooling", builtin=True)]
    found = {}
    for name, level in [*((n, "instance") for n in names), ("max", "embedding")]:
        model = MILClassifier(pooling=name, level=level, max_epochs=40, random_state=0)
        results = check_mil_assumption(model, random_state=0).results
        label = name if level == "instance" else f"{name}, {level}"
        found[label] = results.to_dict("index")
        cells = [
            f"{row['train_auc']:.2f}/{row['test_auc']:.2f} {row['verdict']}"
            for row in found[label].values()
        ]
        print(f"| `{label}` | {' | '.join(cells)} |", flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
