"""Checks of any estimator, beyond scikit-learn's."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ..specs import ComponentSpec, as_spec
from ._core import fail, require
from ._estimator_subject import EstimatorSubject, quiet, require_same

__all__ = ["GENERAL_CHECKS"]

_HIDING = (
    "Tags that switch scikit-learn's checks off prove nothing; read a 2-D array as the "
    "plainest case of your input instead."
)


def check_no_tag_hides_checks(subject: EstimatorSubject) -> None:
    """No tag switches scikit-learn's checks off."""
    tags = subject.estimator.__sklearn_tags__()
    require(tags.input_tags.two_d_array, "its tag two_d_array is False.", _HIDING)
    for name in ("no_validation", "non_deterministic", "_skip_test"):
        require(not getattr(tags, name), f"its tag {name} is True.", _HIDING)


def check_pickle(subject: EstimatorSubject) -> None:
    """A pickled estimator predicts the same to the last bit."""
    X, y = subject.table()
    model = subject.fit(X, y)
    expected = subject.outputs(model, X)
    again = pickle.loads(pickle.dumps(model))
    remedy = "Keep all that predictions need in __getstate__."
    found = subject.outputs(again, X)
    require_same(found, expected, "a pickled copy predicts otherwise", remedy)


def check_refit_is_identical(subject: EstimatorSubject) -> None:
    """A clone with the same random_state is the same model, whatever went before."""
    X, y = subject.table()
    model = subject.fit(X, y)
    expected = subject.outputs(model, X)
    torch.rand(3)
    np.random.rand(3)  # noqa: NPY002  # the global generator is the point
    found = subject.outputs(subject.fit(X, y, clone(model)), X)
    remedy = "Draw all random numbers from check_random_state(self.random_state)."
    require_same(found, expected, "a clone fitted on the same data differs", remedy)
    remedy = "Start from nothing in fit, unless warm_start."
    found = subject.outputs(subject.fit(X, y, model), X)
    require_same(found, expected, "fitting the model again changes it", remedy)


def check_earlier_fits_are_forgotten(subject: EstimatorSubject) -> None:
    """A fit on other data is that of a new estimator."""
    X, y = subject.table()
    other, target = subject.table(n=30, n_features=6)
    expected = subject.outputs(subject.fit(X, y), X)
    model = subject.fit(X, y, subject.fit(other, target))
    remedy = "Overwrite every fitted attribute in fit."
    what = "a fit after another one differs from a first fit"
    require_same(subject.outputs(model, X), expected, what, remedy)


def check_failed_fit_changes_nothing(subject: EstimatorSubject) -> None:
    """A fit that fails leaves a fitted estimator as it was, and a new one unfitted."""
    X, y = subject.table()
    remedy = "Compute into local variables and set attributes when all has succeeded."
    for what, bad, target in _unusable(X, y):
        model = subject.fit(X, y)
        expected, attributes = subject.outputs(model, X), sorted(vars(model))
        if not _fails(model, bad, target):
            continue
        lost = f"after a fit that failed for {what},"
        require(
            sorted(vars(model)) == attributes,
            f"{lost} its attributes are {sorted(vars(model))}, before: {attributes}.",
            remedy,
        )
        try:
            found = subject.outputs(model, X)
        except Exception as error:
            fail(f"{lost} it cannot predict: {error}.", remedy)
        require_same(found, expected, f"{lost} predictions differ", remedy)
        fresh = subject.new()
        _fails(fresh, bad, target)
        require(not _is_fitted(fresh), f"{lost} a new one counts as fitted.", remedy)


def check_data_is_left_alone(subject: EstimatorSubject) -> None:
    """X, y and sample_weight are not written to."""
    X, y = subject.table()
    fit = (
        {"sample_weight": np.linspace(0.5, 2, len(y))} if subject.takes_weights else {}
    )
    given = {"X": X, "y": y, **fit}
    before = {name: array.copy() for name, array in given.items()}
    model = subject.fit(X, y, **fit)
    subject.outputs(model, X)
    for name, array in given.items():
        same = np.array_equal(array, before[name])
        require(same, f"it changed {name}.", f"Work on a copy of {name}.")


def check_types_agree(subject: EstimatorSubject) -> None:
    """The same numbers as list, frame, int or float32 give the same predictions."""
    train, y = subject.table()
    model = subject.fit(train, y)
    X = train[::-1] + np.arange(1, 5)  # not the training data, whose distances tie
    expected = subject.outputs(model, X)
    kinds: dict[str, Any] = {
        "list": X.tolist(),
        "int64": X.astype(np.int64),
        "float32": X.astype(np.float32),
        "column-major": np.asfortranarray(X),
    }
    remedy = "Convert X once, with validate_data(..., reset=False)."
    for kind, data in kinds.items():
        what = f"predictions for X as {kind} differ from those for float64"
        require_same(subject.outputs(model, data), expected, what, remedy, 1e-4)
    for kind, data in {"list": train.tolist(), "frame": pd.DataFrame(train)}.items():
        found = subject.outputs(subject.fit(data, y), X)
        what = f"a fit on X as {kind} differs from one on an array"
        require_same(found, expected, what, remedy, 1e-6)


def check_nested_parameters(subject: EstimatorSubject) -> None:
    """Parameters of components are reached as component__parameter."""
    # An estimator that takes components says which: parameter -> kind.
    for name, kind in getattr(subject.estimator, "_components", {}).items():
        value = subject.estimator.get_params(deep=False)[name]
        if not isinstance(value, str | ComponentSpec):
            continue
        params = as_spec(kind, value).get_params() if value != "auto" else {}
        for key, given in params.items():
            model = clone(subject.estimator)
            path = f"{name}__{key}"
            try:
                model.set_params(**{path: given})
            except ValueError as error:
                fail(f"set_params({path}=...) failed: {error}", "Promote it to a spec.")
            found = clone(model).get_params()
            require(
                path in found and repr(found[path]) == repr(given),
                f"after set_params({path}={given!r}), a clone has "
                f"{found.get(path, 'no such parameter')!r}.",
                "get_params has to return what set_params was given.",
            )
        _require_refusal(clone(subject.estimator), f"{name}__no_such_parameter")


def check_threads(subject: EstimatorSubject) -> None:
    """Fits in two threads, or with n_jobs=2, give what one after another gives."""
    X, y = subject.table()

    def fit(seed: int) -> Any:
        params = {"random_state": seed} if _has(subject, "random_state") else {}
        model = subject.new(**params)
        return subject.outputs(model.fit(X, y), X)

    with quiet():
        expected = [fit(seed) for seed in (0, 1)]
        found = Parallel(n_jobs=2, prefer="threads")(delayed(fit)(s) for s in (0, 1))
    remedy = "Seed generators of your own, or hold a lock while global ones are seeded."
    for got, want in zip(found, expected, strict=True):
        require_same(got, want, "a fit in a thread beside another differs", remedy)
    if _has(subject, "n_jobs"):
        parallel = subject.outputs(subject.fit(X, y, subject.new(n_jobs=2)), X)
        require_same(parallel, expected[0], "n_jobs=2 changes the result", remedy, 1e-9)


def check_global_generators(subject: EstimatorSubject) -> None:
    """Fit and predict leave the global random numbers of everyone else alone."""
    X, y = subject.table()
    torch.rand(1)  # so that there is a state
    before = _global_states()
    subject.outputs(subject.fit(X, y), X)
    for name, state in _global_states().items():
        require(
            state == before[name],
            f"it moved the global generator of {name}.",
            "Use a generator of your own, or torch.random.fork_rng.",
        )


def check_random_state_instance(subject: EstimatorSubject) -> None:
    """A RandomState passed as random_state is drawn from, not copied."""
    if not _has(subject, "random_state"):
        return
    X, y = subject.table()
    one, two = (
        subject.outputs(subject.fit(X, y, subject.new(random_state=seed)), X)
        for seed in (0, 1)
    )
    try:
        require_same(one, two, "")
    except AssertionError:
        pass
    else:
        return  # It draws nothing, or nothing that matters.
    shared = np.random.RandomState(0)
    before = shared.get_state()[1].copy()  # type: ignore[index]
    model = subject.new().set_params(random_state=shared)
    subject.fit(X, y, model)
    after = shared.get_state()
    moved = not np.array_equal(before, after[1]) or after[2] != 624  # type: ignore[index]
    require(
        moved,
        "random_state=RandomState(0) was not drawn from.",
        "Use check_random_state(self.random_state) itself, not a copy or its seed, so "
        "that several estimators sharing it differ.",
    )


def _unusable(X: Any, y: Any) -> list[tuple[str, Any, Any]]:
    """Return what is wrong, X and y: each of another width or with other classes."""
    wide = np.hstack([X, X])
    holed = wide.copy()
    holed[3, 1] = np.nan
    return [
        ("NaN in X", holed, y),
        ("a y too short", wide, y[:-3] + 7),
        ("text in X", np.full((len(X), 6), "x", dtype=object), y),
    ]


def _fails(model: Any, X: Any, y: Any) -> bool:
    with quiet():
        try:
            model.fit(X, y)
        except Exception:
            return True
    return False


def _is_fitted(model: Any) -> bool:
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def _has(subject: EstimatorSubject, name: str) -> bool:
    return name in subject.estimator.get_params(deep=False)


def _require_refusal(model: Any, path: str) -> None:
    try:
        model.set_params(**{path: 1})
    except ValueError:
        return
    fail(f"set_params({path}=1) was accepted.", "Raise ValueError for unknown names.")


def _global_states() -> dict[str, Any]:
    state: Any = np.random.get_state()  # noqa: NPY002
    return {
        "numpy": (state[1].tobytes(), *state[2:]),  # with a normal kept for later
        "PyTorch": torch.get_rng_state().numpy().tobytes(),
        "random": random.getstate(),
    }


GENERAL_CHECKS = [
    check_no_tag_hides_checks,
    check_pickle,
    check_refit_is_identical,
    check_earlier_fits_are_forgotten,
    check_failed_fit_changes_nothing,
    check_data_is_left_alone,
    check_types_agree,
    check_nested_parameters,
    check_threads,
    check_global_generators,
    check_random_state_instance,
]
