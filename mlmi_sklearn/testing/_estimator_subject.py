"""Estimators under examination: how they are made quick, fitted and compared."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import has_fit_parameter

from ..containers import Bags
from ._core import fail, require

__all__ = ["EstimatorSubject", "blocks", "quiet", "require_same"]

Array = NDArray[Any]

#: Largest values of parameters with which checks fit.
_QUICK = {"max_epochs": 3, "max_iter": 20, "n_estimators": 3, "n_repeats": 2}

_OUTPUTS = (
    "predict",
    "predict_proba",
    "decision_function",
    "transform",
    "score_samples",
)

# From one instance to fifty, in no order.
_LENGTHS = (3, 1, 50, 7, 2, 12, 1, 5, 4, 1, 9, 2, 6, 3, 17, 1, 8, 2, 5, 3, 11, 4, 1, 30)


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore warnings: short fits do not converge, tables are read as bags of one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True)
class EstimatorSubject:
    """An estimator and data for it."""

    estimator: Any

    def new(self, **params: Any) -> Any:
        """Return an unfitted copy that fits fast and with a fixed seed."""
        model = clone(self.estimator)
        known = model.get_params()
        changes: dict[str, Any] = {}
        for key, value in known.items():
            # Also of members, as in estimator__max_epochs.
            most = _QUICK.get(key.rpartition("__")[2])
            if most is not None and isinstance(value, int) and value > most:
                changes[key] = most
            if key == "random_state" or key.endswith("__random_state"):
                changes[key] = 0
        return model.set_params(**{**changes, **params})

    def fit(self, X: Any, y: Any, model: Any = None, **fit: Any) -> Any:
        """Fit a new copy, or the given one, in silence."""
        model = self.new() if model is None else model
        with quiet():
            return model.fit(X, y, **fit)

    @property
    def takes_weights(self) -> bool:
        """Whether `fit` has `sample_weight`."""
        return bool(has_fit_parameter(self.estimator, "sample_weight"))

    @property
    def needs_targets(self) -> bool:
        """Whether `fit` cannot do without y."""
        return bool(self.estimator.__sklearn_tags__().target_tags.required)

    @property
    def allows_nan(self) -> bool:
        """Whether NaN is no error."""
        return bool(self.estimator.__sklearn_tags__().input_tags.allow_nan)

    def outputs(self, model: Any, X: Any, among: Sequence[str] = _OUTPUTS) -> Any:
        """Return what each method says, by name: a list with one array a row."""
        found = {}
        with quiet():
            for name in among:
                if hasattr(model, name):
                    found[name] = blocks(getattr(model, name)(X))
        require(found, f"it has none of the methods {among}.", "Add one.")
        return found

    def table(self, n: int = 40, n_features: int = 4, n_classes: int = 2) -> Any:
        """Return whole numbers as a float64 table, and targets."""
        rng = np.random.default_rng(n_features)
        labels = np.arange(n) % n_classes
        X = rng.integers(-40, 41, (n, n_features)) + 20.0 * labels[:, None]
        if is_classifier(self.estimator):
            return X, labels
        return X, X[:, 0] - 0.5 * X[:, -1]

    def bags(self) -> tuple[Bags, Array]:
        """Return bags of 1 to 50 instances, and targets of bags."""
        rng = np.random.default_rng(0)
        labels = np.arange(len(_LENGTHS)) % 2
        values = rng.normal(size=(sum(_LENGTHS), 4))
        starts = np.cumsum(_LENGTHS) - _LENGTHS
        values[starts[labels == 1]] += 3  # one instance makes a bag positive
        bags = Bags(values, _LENGTHS)
        if is_classifier(self.estimator):
            return bags, labels
        return bags, np.array([bag[:, 0].max() for bag in bags])


def blocks(output: Any) -> list[Array]:
    """Return an output as a list with one array for each row (or bag) of X."""
    if isinstance(output, Bags | list | tuple):
        return [np.asarray(part) for part in output]
    if hasattr(output, "toarray"):
        output = output.toarray()
    return list(np.asarray(output))


def require_same(
    found: Any, expected: Any, what: str, remedy: str = "", tolerance: float = 0.0
) -> None:
    """Fail unless outputs, by name, agree: numbers to a tolerance, others exactly."""
    for name, want in expected.items():
        have = found.get(name)
        require(have is not None, f"{what}: there is no {name}.", remedy)
        require(
            len(have) == len(want),
            f"{what}: {name} has {len(have)} rows, not {len(want)}.",
            remedy,
        )
        gap = max((_gap(h, w) for h, w in zip(have, want, strict=True)), default=0.0)
        if not gap <= tolerance:
            fail(f"{what}: {name} differs by {gap:.3g}.", remedy)


def _gap(found: Array, expected: Array) -> float:
    """Return the largest difference, relative to numbers above one."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return float("inf")
    if expected.dtype.kind not in "fiu" or found.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(found, expected) else float("inf")
    if not expected.size:
        return 0.0
    # As numpy's closeness does: infinity is close to itself.
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    scale = max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(found - expected))
    return float(gap.max()) / scale
