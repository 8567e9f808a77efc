"""What scikit-learn's tools cost on bags: cross-validation, and Citation-kNN.

1,000 bags of 250 x 128 float32 (128 MB) go through 10-fold ``cross_val_score`` with an
estimator that looks at nothing but the number of bags. All its time is overhead: making
folds and, with two processes, handing over the data. The same is measured for a list of
arrays, which joblib has to pickle for every task. The workers run before the clock
starts, as starting Python and importing is the same whatever the data.

``CitationKNN`` is fitted on 100 bags with 6,600 instances of 166 features, the size of
MUSK2, and predicts them.

Wall time, unlike in the other benchmarks: waiting is what is measured.

Run: ``make bench`` or ``python benchmarks/bench_mil_cv.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import cross_val_score
from suite.results import RESULTS

from mlmi_sklearn import Bags, CitationKNN

N_BAGS, SIZE, WIDTH = 1000, 250, 128
CV_GOAL, CITATION_GOAL = 1.0, 5.0


class Idle(ClassifierMixin, BaseEstimator):
    """Learn the first class; predict it."""

    def fit(self, X: Any, y: np.ndarray) -> Idle:
        """Look at the labels alone."""
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return one label a bag."""
        return np.repeat(self.classes_[0], len(X))


def wall(run: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def cross_validate(X: Any, y: np.ndarray, n_jobs: int) -> None:
    """Run 10 folds."""
    cross_val_score(Idle(), X, y, cv=10, n_jobs=n_jobs, error_score="raise")


def overheads(rounds: int) -> dict[str, dict[str, list[float]]]:
    """Wall seconds of 10 folds, for each kind of input and number of jobs."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((N_BAGS * SIZE, WIDTH), dtype=np.float32)
    bags = Bags(values, np.full(N_BAGS, SIZE))
    y = np.arange(N_BAGS) % 2
    cross_validate(bags[:20], y[:20], 2)  # starts the workers
    inputs = {"Bags": bags, "list of arrays": bags.to_list()}
    found: dict[str, dict[str, list[float]]] = {
        name: {"serial": [], "n_jobs=2": []} for name in inputs
    }
    for number in range(rounds):
        for name, X in inputs.items():
            if number and X is not bags:
                continue  # once is enough for what takes so long
            found[name]["serial"].append(wall(lambda X=X: cross_validate(X, y, 1)))
            found[name]["n_jobs=2"].append(wall(lambda X=X: cross_validate(X, y, 2)))
    return found


def citation(rounds: int) -> dict[str, list[float]]:
    """Wall seconds of fit and of predict."""
    rng = np.random.default_rng(0)
    # One bag of 1,044 as in MUSK2; the rest share what is left.
    lengths = np.append(rng.multinomial(5457, np.full(99, 1 / 99)) + 1, 1044)
    bags = Bags(rng.standard_normal((lengths.sum(), 166)), lengths)
    y = rng.integers(0, 2, 100)
    found: dict[str, list[float]] = {"fit": [], "predict": []}
    for _ in range(rounds):
        model = CitationKNN()
        found["fit"].append(wall(lambda m=model: m.fit(bags, y)))
        found["predict"].append(wall(lambda m=model: m.predict(bags)))
    return found


def line(name: str, times: list[float], goal: float | None = None) -> dict[str, Any]:
    """Print and return one result; the goal is for the median."""
    middle = median(times)
    reached = goal is None or middle <= goal
    verdict = "" if goal is None else "reached" if reached else "MISSED"
    aim = "" if goal is None else f"<= {goal:.1f} s"
    spread = f"[{min(times):.3f}-{max(times):.3f}]"
    print(f"{name:<44}{middle:>9.3f} s  {spread:<18}{aim:<10}{verdict}")
    return {
        "name": name,
        "seconds": middle,
        "low": min(times),
        "high": max(times),
        "goal": goal,
        "reached": reached,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("Wall seconds: median, range")
    rows = []
    for name, times in overheads(options.rounds).items():
        pairs = zip(times["n_jobs=2"], times["serial"], strict=True)
        extra = [two - one for two, one in pairs]
        goal = CV_GOAL if name == "Bags" else None
        rows += [line(f"10 folds, {name}, {jobs}", t) for jobs, t in times.items()]
        rows.append(line(f"10 folds, {name}, overhead of n_jobs=2", extra, goal))
    found = citation(options.rounds)
    rows.append(line("CitationKNN, fit", found["fit"], CITATION_GOAL))
    rows.append(line("CitationKNN, predict", found["predict"]))
    packages = ("scikit-learn", "joblib", "numpy")
    content = {
        "title": "Cross-validation of 128 MB of bags; Citation-kNN on 6,600 instances",
        "unit": "wall seconds",
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {p: version(p) for p in packages},
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "mil_cv.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
