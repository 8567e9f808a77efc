"""Checks of estimators that learn from several domains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.utils.metadata_routing import get_routing_for_object

from ._core import fail, require
from ._estimator_subject import EstimatorSubject, quiet, require_same

__all__ = ["DOMAIN_CHECKS"]

Array = NDArray[Any]


@dataclass(frozen=True)
class _Domains:
    """Rows of a source and of a target, mixed; all targets are known."""

    X: Array
    y: Array
    ids: Array

    @property
    def is_target(self) -> Array:
        return np.asarray(self.ids < 0)

    def changed(self, values: Any) -> Array:
        """Return targets with others in rows of the target domain."""
        return np.where(self.is_target, values, self.y)


def _domains(subject: EstimatorSubject) -> _Domains:
    rng = np.random.default_rng(0)
    X, y = subject.table(n=60)
    X = np.asarray(X, dtype=float)
    ids = np.where(rng.permutation(60) < 36, 1, -1)
    X[ids < 0, 1] += 30
    return _Domains(X, np.asarray(y), ids)


def check_target_labels_are_ignored(subject: EstimatorSubject) -> None:
    """With target_labels="ignore", targets of target rows change nothing at all."""
    data = _domains(subject)
    model = _ignoring(subject)
    expected = subject.outputs(subject.fit(data.X, data.y, model, **_ids(data)), data.X)
    remedy = "Mask them on a copy before anything else reads y."
    shuffled = data.y[np.random.default_rng(1).permutation(len(data.y))]
    strange = np.full(len(data.y), 55).astype(data.y.dtype)
    for other in (data.changed(shuffled), data.changed(strange)):
        fitted = subject.fit(data.X, other, _ignoring(subject), **_ids(data))
        what = "targets of target rows change the model"
        require_same(subject.outputs(fitted, data.X), expected, what, remedy)


def check_one_result_a_row(subject: EstimatorSubject) -> None:
    """Every method gives one result for each row, of any domain, and needs no ids."""
    data = _domains(subject)
    model = subject.fit(data.X, data.y, **_ids(data))
    for rows in (data.X, data.X[data.is_target], data.X[~data.is_target], data.X[:1]):
        for name, found in subject.outputs(model, rows).items():
            require(
                len(found) == len(rows),
                f"{name} gave {len(found)} results for {len(rows)} rows.",
                "Predict every row, whatever its domain.",
            )


def check_score_ignores_the_marker(subject: EstimatorSubject) -> None:
    """The score counts labelled target rows, and never those with the marker."""
    data = _domains(subject)
    model = subject.fit(data.X, data.y, **_ids(data))
    t = np.flatnonzero(data.is_target)
    with quiet():
        expected = model.score(data.X[t], data.y[t])
        found = model.score(data.X, data.y, sample_domain=data.ids)
        require(
            np.isclose(found, expected),
            f"score with ids is {found:.6g}, and {expected:.6g} on target rows alone.",
        )
        marker = -1 if is_classifier(subject.estimator) else np.nan
        masked = np.where(np.arange(len(data.y)) % 3 == 0, marker, data.y)
        known = t[t % 3 != 0]
        expected = model.score(data.X[known], data.y[known])
        found = model.score(data.X, masked, sample_domain=data.ids)
    require(
        np.isclose(found, expected),
        f"score is {found:.6g} where some rows carry the marker, and {expected:.6g} "
        "without those.",
        "Leave them out.",
    )


def check_lambda_0_is_source_only(subject: EstimatorSubject) -> None:
    """With lambda_=0 the model is that of the source alone, to the last bit."""
    if "lambda_" not in subject.estimator.get_params():
        return
    data = _domains(subject)
    source = ~data.is_target
    model = _ignoring(subject).set_params(lambda_=0.0)
    found = subject.outputs(subject.fit(data.X, data.y, model, **_ids(data)), data.X)
    alone = _ignoring(subject).set_params(lambda_=0.0)
    fitted = subject.fit(data.X[source], data.y[source], alone)
    expected = subject.outputs(fitted, data.X)
    what = "a model with lambda_=0 differs from one of the source alone"
    remedy = "Let rows of the target take no part: no draw, no pass."
    require_same(found, expected, what, remedy)


def check_domains_are_left_alone(subject: EstimatorSubject) -> None:
    """X, y and sample_domain are not written to, and may be read-only."""
    data = _domains(subject)
    given = {"X": data.X, "y": data.y, "sample_domain": data.ids}
    before = {name: array.copy() for name, array in given.items()}
    for array in given.values():
        array.setflags(write=False)
    subject.fit(data.X, data.y, **_ids(data))
    for name, array in given.items():
        same = np.array_equal(array, before[name])
        require(same, f"it changed {name}.", f"Work on a copy of {name}.")


def check_containers_of_ids(subject: EstimatorSubject) -> None:
    """Ids as list, Series or float array are the same; of a sign, any will do."""
    data = _domains(subject)
    expected = subject.outputs(subject.fit(data.X, data.y, **_ids(data)), data.X)
    for name, ids in _containers(data.ids):
        model = subject.fit(data.X, data.y, sample_domain=ids)
        what = f"a fit with ids as {name} differs from one with an array of -1 and 1"
        require_same(subject.outputs(model, data.X), expected, what)
    model = subject.fit(data.X, data.y, sample_domain=2)
    plain = subject.outputs(subject.fit(data.X, data.y), data.X)
    what = "a single id for all rows differs from no ids"
    require_same(subject.outputs(model, data.X), plain, what)


def check_bad_ids_are_refused(subject: EstimatorSubject) -> None:
    """Ids that are too few, missing or strings without named targets are refused."""
    data = _domains(subject)
    holed = data.ids.astype(float)
    holed[3] = np.nan
    names = np.where(data.is_target, "there", "here")
    for what, ids in (
        ("too few ids", data.ids[1:]),
        ("a missing id", holed),
        ("strings without named targets", names),
        ("no row of a source", np.full(len(data.ids), -1)),
    ):
        model = _ignoring(subject)
        try:
            subject.fit(data.X, data.y, model, sample_domain=ids)
        except ValueError as error:
            require(
                "sample_domain" in str(error),
                f"{what} raised {str(error)!r}, which does not name sample_domain.",
            )
            continue
        fail(f"{what} raised nothing.", "Raise a ValueError.")


def check_ids_are_requested(subject: EstimatorSubject) -> None:
    """Fit and score ask for sample_domain, so that users call no set_..._request."""
    routing = get_routing_for_object(subject.estimator)
    for method in ("fit", "score"):
        asked = getattr(routing, method).requests.get("sample_domain")
        remedy = f"Set __metadata_request__{method} on the class."
        require(asked is True, f"{method} does not request sample_domain.", remedy)


def _ignoring(subject: EstimatorSubject) -> Any:
    """Return a new copy that does not use labels of the target."""
    model = subject.new()
    if "target_labels" in model.get_params():
        model.set_params(target_labels="ignore")
    return model


def _ids(data: _Domains) -> dict[str, Any]:
    return {"sample_domain": data.ids}


def _containers(ids: Array) -> Iterator[tuple[str, Any]]:
    yield "a list", ids.tolist()
    yield "a Series", pd.Series(ids, index=range(9, 9 + len(ids)))
    yield "floats", ids.astype(float)
    yield "other numbers", np.where(ids < 0, -7, 0)


DOMAIN_CHECKS = [
    check_target_labels_are_ignored,
    check_one_result_a_row,
    check_score_ignores_the_marker,
    check_lambda_0_is_source_only,
    check_domains_are_left_alone,
    check_containers_of_ids,
    check_bad_ids_are_refused,
    check_ids_are_requested,
]
