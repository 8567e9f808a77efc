"""Checks of multiple-instance estimators inside scikit-learn's tools."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..mil import InstanceWise
from ._core import require
from ._estimator_subject import EstimatorSubject, quiet, require_same

__all__ = ["MIL_TOOL_CHECKS"]


def check_zero_weight_is_removal(subject: EstimatorSubject) -> None:
    """A bag of weight zero is as if it were not there, and weight one as none."""
    if not subject.takes_weights:
        return
    bags, y = subject.bags()
    # The far bag must not leave a trace, such as in a scale or a vocabulary.
    far = bags.with_values(np.where(_first_bags(bags, 4), 100.0, bags.values))
    weight = np.ones(len(y))
    weight[:4] = 0
    expected = subject.outputs(subject.fit(bags[4:], y[4:]), bags)
    found = subject.outputs(subject.fit(far, y, sample_weight=weight), bags)
    what, remedy = "a bag of weight zero leaves a trace", "Drop such bags first."
    require_same(found, expected, what, remedy, 1e-5)
    expected = subject.outputs(subject.fit(bags, y), bags)
    found = subject.outputs(subject.fit(bags, y, sample_weight=np.ones(len(y))), bags)
    what = "weights of one differ from no weights"
    require_same(found, expected, what, "", 1e-5)


def check_pipeline(subject: EstimatorSubject) -> None:
    """It works after InstanceWise(StandardScaler()) in a Pipeline."""
    bags, y = subject.bags()
    model = make_pipeline(InstanceWise(StandardScaler()), subject.new())
    with quiet():
        model.fit(bags, y)
    outputs = subject.outputs(model, bags)
    for name, rows in outputs.items():
        require(len(rows) == len(bags), f"{name} gave {len(rows)} rows in a Pipeline.")
    scaled = InstanceWise(StandardScaler()).fit_transform(bags)
    expected = subject.outputs(subject.fit(scaled, y), scaled)
    what = "a Pipeline gives another result than its steps"
    require_same(outputs, expected, what, tolerance=1e-6)


def check_cross_validation(subject: EstimatorSubject) -> None:
    """cross_val_score gives finite scores, the same for Bags and for a list."""
    bags, y = subject.bags()
    model = _scorable(subject)
    if model is None:
        return
    labels = y if is_regressor(model) else y > np.median(y)
    with quiet():
        scores = [
            cross_val_score(model, X, labels, cv=3, error_score="raise")
            for X in (bags, bags.to_list())
        ]
    found = [score.tolist() for score in scores]
    require(np.isfinite(scores[0]).all(), f"scores are {found[0]}.")
    require(
        np.allclose(scores[0], scores[1], atol=1e-6),
        f"scores are {found[0]} for Bags and {found[1]} for a list.",
        "Read X through check_bags.",
    )


def check_grid_search(subject: EstimatorSubject) -> None:
    """GridSearchCV fits it, and the result can be pickled."""
    bags, y = subject.bags()
    model = _scorable(subject)
    if model is None:
        return
    labels = y if is_regressor(model) else y > np.median(y)
    params = model.get_params()
    key = next((k for k in params if not hasattr(params[k], "fit")), None)
    if key is None:
        return
    search = GridSearchCV(model, {key: [params[key]]}, cv=2, error_score="raise")
    with quiet():
        search.fit(bags, labels)
        expected = search.predict(bags)
        again = pickle.loads(pickle.dumps(search)).predict(bags)
    require(len(expected) == len(bags), f"it predicted {len(expected)} rows.")
    require(np.array_equal(again, expected), "a pickled search predicts otherwise.")


def _scorable(subject: EstimatorSubject) -> Any:
    """Return something with a score: the estimator, or a pipeline ending in one."""
    model = subject.new()
    if hasattr(model, "predict"):
        return model
    bags, y = subject.bags()
    fitted = subject.fit(bags, y)
    with quiet():
        found = fitted.transform(bags)
    if not isinstance(found, np.ndarray) or found.ndim != 2:
        return None  # bags again
    return make_pipeline(model, LogisticRegression())


def _first_bags(bags: Any, n: int) -> Any:
    """Return True, in a column, for the instances of the first n bags."""
    return (np.arange(bags.n_instances) < bags.offsets[n])[:, None]


MIL_TOOL_CHECKS = [
    check_zero_weight_is_removal,
    check_pipeline,
    check_cross_validation,
    check_grid_search,
]
