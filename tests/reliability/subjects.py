"""Every public estimator, made quick, and usual data for it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from odd_rows import BAGS, ROWS
from odd_targets import BESIDE, CLASSES, NUMBERS, TARGETS
from sklearn.base import clone, is_classifier, is_regressor

from mlmi_sklearn import CGANSampler, NetClassifier, all_estimators
from mlmi_sklearn.testing.estimators import family_of

__all__ = ["NAMES", "Call", "kind_of", "model", "oddities_of", "traits", "usual"]

_QUICK = {
    "max_epochs": 2,
    "max_iter": 3,
    "n_estimators": 2,
    "n_repeats": 2,
    "episodes_per_epoch": 2,
    "finetune_steps": 2,
    "adapt_epochs": 2,
    "random_state": 0,
}
# None hides the parameters of these.
_MEMBERS = {
    "AugmentedClassifier": {"sampler": CGANSampler()},
    "AugmentedRegressor": {"sampler": CGANSampler()},
    "DeepEnsembleClassifier": {"estimator": NetClassifier()},
}
_CLASSES = dict(all_estimators())
NAMES = list(_CLASSES)


@dataclass(frozen=True)
class Call:
    """Arguments of a fit, and rows to predict for."""

    X: Any
    y: Any
    new: Any
    beside: dict[str, Any] = field(default_factory=dict)

    def with_beside(self, names):
        """Return a call with some of the arguments beside X and y.

        A target comes in X, with ids of domains, or apart, and then perhaps labelled.
        """
        if "y_target" in names:
            names = {*names, "X_target"}
        if "X_target" in names:
            names = set(names) - {"sample_domain"}
        kept = {key: v for key, v in self.beside.items() if key in names}
        return replace(self, beside=kept)

    def with_argument(self, name, value):
        if name in ("X", "y"):
            return replace(self, **{name: value})
        return replace(self, beside={**self.beside, name: value})


@cache
def _quick(name):
    made = _CLASSES[name](**_MEMBERS.get(name, {}))
    known = made.get_params()
    changes = {
        key: _QUICK[key.rpartition("__")[2]]
        for key in known
        if key.rpartition("__")[2] in _QUICK
    }
    return made.set_params(**changes)


def model(name):
    """Return a new estimator that fits in hundredths of a second."""
    return clone(_quick(name))


@cache
def kind_of(name):
    """Return what y is: "classes", "numbers" or "none"."""
    made = _quick(name)
    if is_classifier(made):
        return "classes"
    if is_regressor(made):
        return "numbers"
    return "none"


@cache
def traits(name):
    """Return what must be known of an estimator to judge it."""
    made = _quick(name)
    tags = made.__sklearn_tags__()
    found = {
        "nan": tags.input_tags.allow_nan,
        "sparse": tags.input_tags.sparse,
        # It passes tables on as they are.
        "tables": name in ("CGANSampler", "TileGrid"),
        # Columns of numbers may be what it makes of X.
        "translates": name == "ImageTranslator",
        # What it wraps reads tables; scikit-learn fits on one of dates alone.
        "wraps": name in ("AugmentedClassifier", "AugmentedRegressor"),
        "bags": family_of(made) == "mil",
        # Targets that are not known are left out.
        "partial": family_of(made) in ("mil", "domain_adaptation"),
    }
    return frozenset(trait for trait, holds in found.items() if holds)


@cache
def _beside(name):
    return [
        key for key in BESIDE if key in inspect.signature(_CLASSES[name].fit).parameters
    ]


def oddities_of(name):
    """Return all that is tried with an estimator."""
    targets = {"classes": CLASSES, "numbers": NUMBERS, "none": []}[kind_of(name)]
    bags = BAGS if "bags" in traits(name) else []
    beside = [odd for key in _beside(name) for odd in BESIDE[key]]
    if "y_target" in _beside(name):
        beside += TARGETS[kind_of(name)]
    return [*ROWS, *bags, *targets, *beside]


def usual(name, n=16, n_features=3, n_classes=2, dtype=np.float64, seed=0):
    """Return plain arrays; all numbers are whole eighths, exact in every type."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-80, 81, (n + 4, n_features)).astype(dtype) / 8
    y = None
    if kind_of(name) == "classes":
        y = rng.permutation(np.arange(n) % n_classes)
        X[:n, 0] += 4 * y
    elif kind_of(name) == "numbers":
        y = X[:n, 0].astype(np.float64) - 0.5 * X[:n, -1]
    every = {
        "sample_weight": rng.integers(1, 9, n) / 4,
        "groups": np.arange(n) // 8,
        "sample_domain": np.where(rng.permutation(n) < n // 2, 1, -1),
        "X_target": rng.permutation(X[:n]),
        "y_target": y if y is None else rng.permutation(y),
    }
    return Call(X[:n], y, X[n:], {key: every[key] for key in _beside(name)})
