"""Checks of estimators that draw samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._core import require
from ._estimator_subject import EstimatorSubject, quiet

__all__ = ["SAMPLER_CHECKS"]


def _fitted(subject: EstimatorSubject, **params: Any) -> Any:
    X, _ = subject.table()
    return subject.fit(X, np.arange(len(X)) % 2, subject.new(**params))


def _drawn(model: Any, *args: Any, **options: Any) -> tuple[Any, Any]:
    with quiet():
        found = model.sample(*args, **options)
    require(
        isinstance(found, tuple) and len(found) == 2,
        f"sample returned a {type(found).__name__}.",
        "Return (X, y), as GaussianMixture does; y is None without conditions.",
    )
    return found


def check_a_seed_repeats_samples(subject: EstimatorSubject) -> None:
    """The same seed gives the same samples; without, every call gives new ones."""
    model = _fitted(subject)
    first, again = (_drawn(model, 6, random_state=3)[0] for _ in range(2))
    remedy = "Draw from a generator of its own, made from random_state."
    require(np.array_equal(first, again), "samples of one seed differ.", remedy)
    other = _drawn(model, 6, random_state=4)[0]
    require(not np.array_equal(first, other), "samples of two seeds agree.", remedy)
    calls = [_drawn(model, 6)[0] for _ in range(2)]
    require(not np.array_equal(*calls), "two calls without a seed agree.", remedy)


def check_the_series_follows_random_state(subject: EstimatorSubject) -> None:
    """Two fits with one random_state give the same series of samples."""
    series = [
        [_drawn(model, 3)[0] for _ in range(2)]
        for model in (_fitted(subject), _fitted(subject))
    ]
    require(
        np.array_equal(np.asarray(series[0]), np.asarray(series[1])),
        "two fits with the same random_state draw different series.",
        "Seed the calls of sample from random_state.",
    )


def check_rows_do_not_depend_on_others(subject: EstimatorSubject) -> None:
    """Row i is the same however many rows are drawn, and whatever they are asked."""
    model = _fitted(subject)
    many, few = (_drawn(model, n, random_state=0)[0] for n in (10, 5))
    remedy = "Draw latent numbers row by row, and run the net in evaluation mode."
    require(np.array_equal(many[:5], few), "sample(10)[:5] is not sample(5).", remedy)
    asked = np.array([1, 1, 1, 1, 1, 0])
    alone = _drawn(model, y=asked[:5], random_state=0)[0]
    mixed = _drawn(model, y=asked, random_state=0)[0]
    require(
        np.array_equal(mixed[:5], alone),
        "samples change with what is asked for in other rows.",
        remedy,
    )


def check_conditions_come_back_as_asked(subject: EstimatorSubject) -> None:
    """The returned y is what was asked for, in its own type."""
    X, _ = subject.table()
    labels = np.where(np.arange(len(X)) % 2 == 0, "well", "ill")
    model = subject.fit(X, labels)
    asked = np.array(["ill", "well", "ill"])
    samples, y = _drawn(model, y=asked)
    require(np.array_equal(y, asked), f"asked for {asked}, got {y}.", "Return y.")
    require(len(samples) == 3, f"3 rows were asked for, {len(samples)} came.", "")
    _, y = _drawn(model, 4, y="ill")
    require(list(y) == ["ill"] * 4, f"one condition for 4 rows became {y}.", "")
    try:
        _drawn(model, y=["dead"])
    except ValueError:
        return
    require(False, "an unknown class is no error.", "Raise a ValueError that names it.")


def check_types_come_back(subject: EstimatorSubject) -> None:
    """Samples have the columns and types of the training data."""
    X, _ = subject.table()
    whole = X.astype(np.int64)
    found, _ = _drawn(subject.fit(whole, np.arange(len(X)) % 2), 5)
    require(
        found.dtype == whole.dtype,
        f"samples of {whole.dtype} are {found.dtype}.",
        "Bring samples back to the type of X.",
    )
    frame = pd.DataFrame(X, columns=list("abcd")).assign(sex=["f", "m"] * (len(X) // 2))
    found, _ = _drawn(subject.fit(frame, np.arange(len(X)) % 2), 5)
    require(
        isinstance(found, pd.DataFrame) and bool((found.dtypes == frame.dtypes).all()),
        "samples of a table have other columns or types.",
        "Return a DataFrame with the dtypes of X.",
    )


def check_it_is_no_transformer(subject: EstimatorSubject) -> None:
    """A sampler has no transform, or imbalanced-learn's Pipeline refuses it."""
    both = hasattr(subject.estimator, "fit_resample") and hasattr(
        subject.estimator, "transform"
    )
    remedy = "Leave transform away."
    require(not both, "it has both fit_resample and transform.", remedy)


SAMPLER_CHECKS = [
    check_a_seed_repeats_samples,
    check_the_series_follows_random_state,
    check_rows_do_not_depend_on_others,
    check_conditions_come_back_as_asked,
    check_types_come_back,
    check_it_is_no_transformer,
]
