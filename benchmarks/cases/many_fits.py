"""Many small fits through the public search: ``VectorizedSearchCV``.

16 candidates (4 rates, 4 seeds) and 4 folds are 64 fits, without the last one on all
data. ``GridSearchCV`` trains the same nets one after the other, with our own estimator,
so that the ratio is what training in step gains. Rows differ in how large a batch and a
net is, to show where stacking stops to pay; in the last two, nets stop when the loss on
a tenth of their rows has not improved for three epochs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.model_selection import GridSearchCV
from suite import Case, case

from mlmi_sklearn import MLPBackbone, NetClassifier, VectorizedSearchCV

GRID = {"lr": [1e-3, 3e-3, 1e-2, 3e-2], "random_state": [0, 1, 2, 3]}
# Rows, batch size, epochs, units of the hidden layer, whether to stop early, aim.
ROWS = [
    (100, 32, 20, 64, False, 6.0),
    (1000, 16, 5, 64, False, 9.4),
    (1000, 32, 5, 64, False, 7.5),
    (1000, 64, 5, 64, False, 4.0),
    (1000, 128, 5, 64, False, 1.9),
    (1000, 32, 5, 256, False, 1.0),
    (1000, 128, 5, 256, False, 1.0),
    (100, 32, 40, 64, True, 6.0),
    (1000, 32, 20, 64, True, 7.5),
]


def data(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return two noisy classes of 20 features."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 20)).astype(np.float32)
    return X, (X[:, 0] + rng.normal(size=n) / 2 > 0).astype(int)


def searches(
    n: int, batch: int, epochs: int, units: int, stop: bool, aim: float
) -> Case:
    X, y = data(n)
    backbone = MLPBackbone(hidden=(units,))
    net = NetClassifier(
        backbone,
        batch_size=batch,
        max_epochs=epochs,
        early_stopping=stop,
        n_iter_no_change=3,
        device="cpu",
    )

    def search(kind: type) -> np.ndarray:
        found = kind(net, GRID, cv=4, refit=False).fit(X, y)
        return found.cv_results_["mean_test_score"]

    def agree() -> str:
        apart = np.abs(search(VectorizedSearchCV) - search(GridSearchCV)).max()
        # Rounding may move one row in each of a few folds.
        assert apart <= 2 / n, f"scores differ by {apart}"
        return f"mean scores of all candidates differ by {apart:.0e} at most"

    contenders: dict[str, Callable[[], object]] = {
        "ours": lambda: search(VectorizedSearchCV),
        "GridSearchCV": lambda: search(GridSearchCV),
    }
    return Case(contenders, agree, "fit", 64, aim=aim, most_rounds=3)


for row in ROWS:
    n, batch, epochs, units, stop, _ = row
    how = f"at most {epochs}" if stop else str(epochs)
    name = f"64 fits: n={n}, batch {batch}, {how} epochs, 20-{units}-1"
    case("many_fits", name, threads=(1,))(lambda row=row: searches(*row))
