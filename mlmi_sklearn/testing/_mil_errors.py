"""Checks of how multiple-instance estimators refuse what cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ._core import fail, require
from ._estimator_subject import EstimatorSubject, quiet, require_same

__all__ = ["MIL_ERROR_CHECKS"]


def check_bad_bags_are_refused(subject: EstimatorSubject) -> None:
    """Unusable bags raise a ValueError that names the bag, in fit and predict."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    for what, X, words in _bad_inputs(subject):
        _require_error(f"fit on {what}", words, subject.new().fit, X, y[: len(X)])
        for name in subject.outputs(model, bags):
            _require_error(f"{name} of {what}", words, getattr(model, name), X)


def check_other_width_is_refused(subject: EstimatorSubject) -> None:
    """Bags of another width than in training raise a ValueError about features."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    wide = [np.hstack([bag, bag]) for bag in bags]
    for name in subject.outputs(model, bags):
        method = getattr(model, name)
        _require_error(f"{name} of bags of 8 features", ["feature"], method, wide)


def check_lengths_are_compared(subject: EstimatorSubject) -> None:
    """A y of another length than the number of bags raises a ValueError."""
    if not subject.needs_targets:
        return
    bags, y = subject.bags()
    per_instance = np.repeat(y, bags.lengths)
    for what, target in (("too few", y[:-2]), ("one an instance", per_instance)):
        words = [str(len(bags)), str(len(target))]
        doing = f"fit with {what} targets"
        _require_error(doing, words, subject.new().fit, bags, target)
    if subject.takes_weights:

        def fit(weight: Any) -> Any:
            return subject.new().fit(bags, y, sample_weight=weight)

        doing = "fit with too few weights"
        _require_error(doing, ["sample_weight"], fit, np.ones(len(y) - 1))


def check_refusal_changes_nothing(subject: EstimatorSubject) -> None:
    """A fitted estimator that refuses bags predicts as before."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    expected, attributes = subject.outputs(model, bags), sorted(vars(model))
    for what, X, _ in _bad_inputs(subject):
        with quiet():
            try:
                model.fit(X, y[: len(X)])
            except ValueError:
                pass
            else:
                continue
        remedy = "Set fitted attributes when fit has succeeded."
        lost = f"after refusing {what}"
        same = sorted(vars(model)) == attributes
        require(same, f"{lost}, its attributes differ.", remedy)
        found = subject.outputs(model, bags)
        require_same(found, expected, f"{lost}, predictions differ", remedy)


def _bad_inputs(subject: EstimatorSubject) -> Iterator[tuple[str, Any, list[str]]]:
    """Yield what is wrong, bags of which number 2 is bad, and words of the message."""
    bags, _ = subject.bags()
    good = [np.array(bag) for bag in bags[:12]]

    def with_bad(bag: Any) -> list[Any]:
        return [*good[:2], bag, *good[3:]]

    yield "a list with an empty bag", with_bad(np.empty((0, 4))), ["empty", "2"]
    yield "a list with a wider bag", with_bad(np.ones((3, 5))), ["2"]
    yield "a list with a flat bag", with_bad(np.ones(4)), ["2"]
    if not subject.allows_nan:
        holed, endless = good[2].copy(), good[2].copy()
        holed[1, 0], endless[1, 0] = np.nan, np.inf
        yield "bags with NaN", with_bad(holed), ["NaN", "bag 2"]
        yield "bags with infinity", with_bad(endless), ["infinity", "bag 2"]
    long = pd.DataFrame(np.ones((12, 4)), columns=list("abcd"))
    long.insert(0, "bag", np.arange(12) // 3)
    yield "a long frame", long, ["Bags.from_frame"]


def _require_error(doing: str, words: list[str], call: Any, *args: Any) -> None:
    """Fail unless a call raises a ValueError whose message has all the words."""
    try:
        with quiet():
            call(*args)
    except ValueError as error:
        message = str(error)
        missing = [w for w in words if not re.search(re.escape(w), message, re.I)]
        remedy = "Name what was wrong and where."
        found = f"{doing} raised {type(error).__name__}: {message!r},"
        require(not missing, f"{found} which does not mention {missing}.", remedy)
        return
    except Exception as error:
        fail(
            f"{doing} raised {type(error).__name__}: {error}.",
            "Raise BagError, or another ValueError.",
        )
    fail(f"{doing} raised nothing.", "Read X through check_bags, and y by its length.")


MIL_ERROR_CHECKS = [
    check_bad_bags_are_refused,
    check_other_width_is_refused,
    check_lengths_are_compared,
    check_refusal_changes_nothing,
]
