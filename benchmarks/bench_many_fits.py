"""What training many small nets in step gains, through the public search.

``VectorizedSearchCV`` against ``GridSearchCV`` on the same grid of 16 candidates (4
rates, 4 seeds) and 4 folds, so 64 fits, without the last fit on all data. Before the
clock runs, the scores of both are compared. A second table times single nets of rising
width, to see where stacking stops to pay.

Run: ``python benchmarks/bench_many_fits.py``; ``--case 0 2`` runs the first and the
third row alone and leaves the JSON file, which holds all rows, as it is.
"""

from __future__ import annotations

import argparse

import numpy as np
from _paired import Row, against, in_turns, report
from sklearn.model_selection import GridSearchCV

from mlmi_sklearn import MLPBackbone, NetClassifier, VectorizedSearchCV

GRID = {"lr": [1e-3, 3e-3, 1e-2, 3e-2], "random_state": [0, 1, 2, 3]}
# Rows, batch size, epochs, units of the hidden layer, goal.
CASES = [
    (100, 32, 20, 64, 6.0),
    (1000, 16, 5, 64, 9.4),
    (1000, 32, 5, 64, 7.5),
    (1000, 64, 5, 64, 4.0),
    (1000, 128, 5, 64, 1.9),
    (1000, 32, 5, 256, None),
    (1000, 128, 5, 256, None),
]


def data(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two noisy classes of 20 features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20)).astype(np.float32)
    return X, (X[:, 0] + rng.normal(size=n) / 2 > 0).astype(int)


def compare(case: tuple, rounds: int) -> Row:
    """Time one case."""
    n, batch_size, epochs, units, goal = case
    X, y = data(n)
    backbone = MLPBackbone(hidden=(units,))
    net = NetClassifier(backbone, batch_size=batch_size, max_epochs=epochs)

    def search(kind: type) -> np.ndarray:
        found = kind(net, GRID, cv=4, refit=False).fit(X, y)
        return found.cv_results_["mean_test_score"]

    apart = np.abs(search(VectorizedSearchCV) - search(GridSearchCV)).max()
    if apart > 2 / n:  # rounding may move one row in each of a few folds
        raise SystemExit(f"scores differ by {apart}")
    times = in_turns(
        {
            "ours": lambda: search(VectorizedSearchCV),
            "GridSearchCV": lambda: search(GridSearchCV),
        },
        rounds,
    )
    name = f"n={n}, batch {batch_size}, {epochs} epochs, 20-{units}-1"
    return against(times, name, "GridSearchCV", 64, goal)


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", type=int, nargs="+", choices=range(len(CASES)))
    asked = parser.parse_args()
    picked = asked.case if asked.case is not None else range(len(CASES))
    rows = [compare(CASES[index], asked.rounds) for index in picked]
    file = "many_fits.json" if asked.case is None else None
    report("Many fits at once", file, "fit", rows)


if __name__ == "__main__":
    main()
