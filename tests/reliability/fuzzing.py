"""What an estimator may do with odd arguments, and what it must not.

:func:`judge` fits and predicts with oddities in place and raises an
:class:`AssertionError` for a silent wrong answer, for an error that does not say which
argument it is about, and for traces of a fit that failed.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from contextlib import contextmanager

import numpy as np
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from subjects import NAMES, kind_of, model, oddities_of, traits, usual

from mlmi_sklearn.exceptions import TrainingDivergedError

__all__ = ["COUNTS", "WHERE", "cases", "judge"]

WHERE = ("fit", "predict")
#: Cases judged so far, by estimator and by what came of them.
COUNTS: Counter[str] = Counter()

_OUTPUTS = ("predict", "predict_proba", "decision_function", "transform")
# An error of a backbone that does not fit X says so of the backbone.
_NAMES = {"X": r"\bX\b|\bsamples of shape\b|^backbone"}
# An outcome of several oddities is the first of these that one of them has.
_STRICTEST = ("refused", "any", "close", "same")


@contextmanager
def silence():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@st.composite
def cases(draw, names=NAMES, most=3):
    """Draw the name of an estimator, a usual call, oddities, a seed and where.

    Oddities are in place in ``"fit"``, or in the rows to ``"predict"`` for.
    """
    name = draw(st.sampled_from(list(names)))
    call = usual(
        name,
        n=draw(st.integers(12, 24)),
        n_features=draw(st.integers(1, 4)),
        n_classes=draw(st.integers(2, 3)),
        dtype=draw(st.sampled_from([np.float64, np.float32])),
        seed=draw(st.integers(0, 99)),
    )
    chosen = draw(
        st.lists(
            st.sampled_from(oddities_of(name)),
            min_size=1,
            max_size=most,
            unique_by=lambda odd: odd.argument,
        )
    )
    if "X" in {odd.argument for odd in chosen}:  # frames would have other columns
        chosen = [odd for odd in chosen if odd.argument != "X_target"]
    if any(odd.argument.endswith("_target") for odd in chosen):
        chosen = [odd for odd in chosen if odd.argument != "sample_domain"]
    names = {odd.argument for odd in chosen}
    if "y" in names:  # labels of the target would be others than these
        chosen = [odd for odd in chosen if odd.argument != "y_target"]
        names -= {"y_target"}
    kept = draw(st.sets(st.sampled_from([*call.beside, "none"])))
    if "y" in names:
        kept -= {"y_target"}
    if "sample_domain" in names:
        kept -= {"X_target", "y_target"}
    call = call.with_beside(kept | names)
    return name, call, chosen, draw(st.integers(0, 99)), draw(st.sampled_from(WHERE))


def judge(name, call, chosen, seed=0, where="fit"):
    """Fit or predict with oddities in place.

    Returns what came of it: "refused", "diverged" or "predicted".
    """
    rows = [oddity for oddity in chosen if oddity.argument == "X"]
    if where == "predict" and rows:
        found = judge_prediction(name, call, rows[0], seed)
    else:
        found = judge_fit(name, call, chosen, seed)
    COUNTS[name] += 1
    COUNTS[found] += 1
    return found


def judge_fit(name, call, chosen, seed):
    """Fit with oddities, and predict for usual rows."""
    outcome = _outcome(name, chosen)
    odd = with_oddities(call, chosen, seed)
    arguments = [oddity.argument for oddity in chosen]
    fitted = model(name)
    try:
        with silence():
            fit(fitted, odd)
    except Exception as error:
        require_named(error, arguments, outcome)
        if not isinstance(error, TrainingDivergedError):
            require_unfitted(fitted)
            return "refused"
        try:
            require_valid(name, fitted, rows_for(call, odd, chosen, seed), odd)
        except NotFittedError:  # it diverged before it had any good weights
            pass
        except ValueError as refusal:  # for what the last good weights are no good
            require_named(refusal, ["X"], "any")
        return "diverged"
    require_refused(outcome, chosen)
    try:
        found = require_valid(name, fitted, rows_for(call, odd, chosen, seed), odd)
    except (ValueError, TypeError) as error:
        require_named(error, arguments, outcome)
        return "refused"
    if outcome == "same":
        one = usual_model(name, call)
        compare(one, fitted, outputs(one, call.new), found, 0)
    return "predicted"


def judge_prediction(name, call, oddity, seed):
    """Predict for odd rows by a model that was fitted on usual ones."""
    outcome = _outcome(name, [oddity])
    fitted = usual_model(name, call)
    expected = outputs(fitted, call.new)
    odd = oddity.make(call.new.copy(), np.random.default_rng(seed))
    if hasattr(fitted, "sample"):  # it looks at no rows
        return "predicted"
    try:
        found = outputs(fitted, odd)
    except Exception as error:
        require_named(error, ["X"], outcome)
        require_same_outputs(fitted, expected, call.new)
        return "refused"
    require_refused(outcome, [oddity])
    require_finite(name, found)
    if outcome in ("same", "close"):
        compare(fitted, fitted, expected, found, 0 if outcome == "same" else 1e-3)
    require_same_outputs(fitted, expected, call.new)
    return "predicted"


def usual_model(name, call):
    fitted = model(name)
    with silence():
        fit(fitted, call)
    return fitted


def require_refused(outcome, chosen):
    names = [f"{oddity.argument}: {oddity.name}" for oddity in chosen]
    assert outcome != "refused", f"accepted {names}, of which there is no meaning"


def require_same_outputs(fitted, expected, new):
    """Raise if a prediction has changed a model."""
    compare(fitted, fitted, expected, outputs(fitted, new), 0)


def with_oddities(call, chosen, seed):
    odd = call
    for oddity in chosen:
        usual_value = getattr(call, oddity.argument, None)
        if usual_value is None:
            usual_value = call.beside[oddity.argument]
        made = oddity.make(usual_value.copy(), np.random.default_rng(seed))
        odd = odd.with_argument(oddity.argument, made)
    return odd


def rows_for(call, odd, chosen, seed):
    """Return rows to predict for: usual ones, unless samples had another shape."""
    oddity = next((oddity for oddity in chosen if oddity.argument == "X"), None)
    if oddity is None or np.shape(odd.X)[1:] == call.X.shape[1:]:
        return call.new
    return oddity.make(call.new.copy(), np.random.default_rng(seed))


def fit(fitted, call):
    fitted.fit(call.X, call.y, **call.beside)


def _outcome(name, chosen):
    found = {oddity.outcome_for(traits(name)) for oddity in chosen}
    return next(outcome for outcome in _STRICTEST if outcome in found)


def outputs(fitted, X):
    """Return all that a model says of rows, by method."""
    with silence():
        if hasattr(fitted, "sample"):
            return {"sample": fitted.sample(len(X), random_state=0)[0]}
        return {
            method: plain(getattr(fitted, method)(X))
            for method in _OUTPUTS
            if hasattr(fitted, method)
        }


def plain(output):
    return output.toarray() if hasattr(output, "toarray") else output


def require_named(error, arguments, outcome):
    """Raise unless an error is about an argument, and says which."""
    text = f"{type(error).__name__}: {error}"
    if outcome in ("same", "close"):
        raise AssertionError(f"refused what has a meaning: {text}") from error
    if isinstance(error, TrainingDivergedError):
        return
    # Text may be the name of a file.
    if not isinstance(error, ValueError | TypeError | FileNotFoundError):
        raise AssertionError(f"an error of the wrong type: {text}") from error
    named = [a for a in arguments if re.search(_NAMES.get(a, rf"\b{a}\b"), str(error))]
    if not named:
        raise AssertionError(f"an error without {arguments}: {text}") from error


def require_unfitted(fitted):
    try:
        check_is_fitted(fitted)
    except NotFittedError:
        return
    raise AssertionError("a fit that failed left a model behind")


def require_valid(name, fitted, new, odd):
    """Raise unless predictions for usual rows are what they have to be."""
    found = outputs(fitted, new)
    for method, output in found.items():
        if hasattr(output, "shape"):
            assert len(output) == len(new), f"{method} has {len(output)} rows"
    require_finite(name, found)
    if kind_of(name) == "classes" and np.ndim(found.get("predict")) == 1:
        known, guessed = set(as_labels(odd.y)), set(as_labels(found["predict"]))
        if "y_target" in odd.beside:
            known |= set(as_labels(odd.beside["y_target"]))
        assert guessed <= known, f"predicted {guessed} for {known}"
    return found


def require_finite(name, found):
    """Raise for NaN and infinity, and for probabilities that are none."""
    for method, output in found.items():
        values = np.asarray(output) if hasattr(output, "shape") else np.zeros(1)
        if values.dtype.kind in "fc" and "nan" not in traits(name):
            assert np.isfinite(values).all(), f"{method} is not finite: {values}"
    if "predict_proba" in found:
        proba = np.asarray(found["predict_proba"])
        assert ((proba >= 0) & (proba <= 1)).all(), proba
        if np.ndim(found["predict"]) == 1:
            np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)


def as_labels(values):
    """Return labels in words, from any container; 1.0 is 1."""
    if hasattr(values, "to_numpy"):  # NA is not for numpy
        values = values.to_numpy()
    cells = np.ravel(np.asarray(values)).tolist()
    whole = [
        isinstance(cell, float | np.floating) and cell.is_integer() for cell in cells
    ]
    return [str(int(c) if w else c) for c, w in zip(cells, whole, strict=True)]


def compare(one, other, expected, found, tolerance):
    """Raise unless outputs agree; labels by their place among the classes."""
    for method, want in expected.items():
        have = found[method]
        if method == "predict" and hasattr(one, "classes_"):
            if tolerance:  # scores that are close say more than a tie
                continue
            want, have = codes(one, want), codes(other, have)
        want, have = np.asarray(want), np.asarray(have)
        assert have.shape == want.shape, f"{method}: {have.shape}, not {want.shape}"
        if "O" in (want.dtype.kind, have.dtype.kind):
            continue
        bound = max(1e-6, tolerance)
        size = 1 + np.abs(want[np.isfinite(want)]).max(initial=0)
        np.testing.assert_allclose(have, want, bound, bound * size, err_msg=method)


def codes(fitted, labels):
    """Return the places of labels among the classes; indicators as they are."""
    if np.ndim(labels) > 1:
        return labels
    order = fitted.classes_.tolist()
    return [order.index(label) for label in np.asarray(labels).tolist()]
