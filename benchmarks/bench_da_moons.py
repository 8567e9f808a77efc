"""Two moons, turned by 35 degrees: the shallow net of Ganin et al. (2016).

``hidden_layer_sizes=(15,)``, everything else as it comes. Each seed draws its own
points and its own net. Goals: mean of the first five seeds at least .93, none below
.85, at most 2 CPU seconds a fit; the proxy A-distance of the features below that of
the inputs. The authors' code reaches .937 (.873 at worst) in 4.4 CPU seconds.

Run: ``make bench`` or ``python benchmarks/bench_da_moons.py [--seeds 5] [--more 10]``.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from _da import mean_sd, print_table, quiet, verdict, write

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import make_rotated_moons


def one(seed, **params):
    """Return what is reported of one fit."""
    X, y, domain = make_rotated_moons(random_state=seed)
    model = DANNClassifier(hidden_layer_sizes=(15,), random_state=seed, **params)
    start = time.process_time()
    model.fit(X, y, sample_domain=domain)
    seconds = time.process_time() - start
    target = domain < 0
    return {
        "seed": seed,
        "accuracy": float(np.mean(model.predict(X[target]) == y[target])),
        "cpu_seconds": seconds,
        "pad_input": model.pad_.get("input"),
        "pad_features": model.pad_.get("features"),
    }


METHODS = {
    "source only": {"lambda_": 0},
    "statistics of batches only": {"lambda_": 1e-9},
    "DANNClassifier": {},
    "DANNClassifier, entropy=0.05": {"entropy": 0.05},
}


def line(name, rows):
    accuracy = [r["accuracy"] for r in rows]
    pads = [
        f"{np.mean([r[k] for r in rows]):.2f}" for k in ("pad_input", "pad_features")
    ]
    seconds = f"{np.mean([r['cpu_seconds'] for r in rows]):.2f}"
    return [name, mean_sd(accuracy), f"{min(accuracy):.3f}", seconds, *pads]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--more", type=int, default=10, help="seeds beyond the goal's")
    options = parser.parse_args()
    quiet()
    rows, lines = [], []
    for name, params in METHODS.items():
        found = [one(seed, **params) for seed in range(options.seeds + options.more)]
        rows += [{"method": name, **row} for row in found]
        lines.append(line(f"{name}, {options.seeds} seeds", found[: options.seeds]))
        if options.more:
            more = found[options.seeds :]
            lines.append(line(f"{name}, {options.more} other seeds", more))
    head = ["", "accuracy on target", "worst", "CPU s a fit", "PAD inputs", "features"]
    print_table(head, lines)
    for name in list(METHODS)[2:]:
        first = [r for r in rows if r["method"] == name][: options.seeds]
        accuracy = [r["accuracy"] for r in first]
        print(f"\n{name}: mean: {verdict(np.mean(accuracy), 0.93)}; worst: ", end="")
        print(f"{verdict(min(accuracy), 0.85)}; CPU seconds: ", end="")
        slowest = max(r["cpu_seconds"] for r in first)
        print("reached" if slowest <= 2 else "MISSED", "(<= 2)", end="")
    first = [r for r in rows if r["method"] == "DANNClassifier"][: options.seeds]
    plain = [r for r in rows if r["method"] == "source only"][: options.seeds]
    pads = [
        (r["pad_features"], s["pad_features"], r["pad_input"])
        for r, s in zip(first, plain, strict=True)
    ]
    print("\nPAD of features below that of the source-only net's in ", end="")
    print(
        f"{sum(a < b for a, b, _ in pads)} of {len(pads)}, below that of inputs in ",
        end="",
    )
    print(sum(a < c for a, _, c in pads))
    write(
        "da_moons.json",
        "Moons turned by 35 degrees, 15 hidden units",
        rows,
        lambda r: (r["method"], r["seed"]),
        goals={"mean": 0.93, "worst": 0.85, "cpu_seconds": 2},
    )


if __name__ == "__main__":
    main()
