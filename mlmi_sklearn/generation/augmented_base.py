"""Estimators trained on real and synthetic rows together."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import MetaEstimatorMixin, clone
from sklearn.utils import Bunch, Tags, _safe_indexing, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _check_method_params,
    _check_y,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from ..base.host import on_host
from ..base.inputs import (
    as_host_array,
    plain_numbers,
    require_finite_outputs,
    require_no_dates,
)
from ..base.naming import naming
from ..base.state import rollback
from ..components.doclink import DocumentationLink
from ..persistence.flat import PlainState
from .augmented_drawing import Drawn, Order, draw
from .augmented_weights import rows_with_weight, scaled_weights
from .cgan import CGANSampler
from .joining import joined

__all__ = ["Augmented", "inner_has"]

Array = NDArray[Any]


def inner_has(method: str) -> Callable[[Any], bool]:
    """Return a condition for ``available_if``: the estimator has a method."""

    def check(self: Any) -> bool:
        fitted = hasattr(self, "estimator_")
        return hasattr(self.estimator_ if fitted else self._inner(), method)

    return check


class Augmented(DocumentationLink, PlainState, MetaEstimatorMixin):
    """Mixin: all that does not depend on the kind of target."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "sampler": [HasMethods(["fit", "sample"]), None],
        "ratio": [Interval(Real, 0, None, closed="left")],
        "synthetic_weight": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }
    estimator: Any
    sampler: Any
    ratio: float
    synthetic_weight: float
    random_state: Any

    # -- what differs -----------------------------------------------------------------

    _classes: ClassVar[bool]

    def _inner(self) -> Any:
        """Return the estimator of which a copy is trained."""
        raise TypeError(f"{type(self).__name__} does not say what it trains.")

    def _check_targets(self, y: Array) -> Array:
        """Validate targets further."""
        return y

    def _rows(self, y: Array, source: np.random.Generator) -> Array:
        """Choose real rows whose targets synthetic rows shall have."""
        raise TypeError(f"{type(self).__name__} does not say what to draw.")

    # -- fit --------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, **fit_params: Any) -> Self:
        """Fit the sampler, and the estimator on real and synthetic rows.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, ...)
            Whatever both take.
        y : array-like of shape (n_samples,) or (n_samples, k)
            Targets.
        **fit_params : dict
            Passed on to those of both whose ``fit`` names them, otherwise to the
            estimator; with metadata routing enabled, to those that request them. What
            has a value for each row gets one for each synthetic row, too: that of the
            real row whose target it has.

        Returns
        -------
        self
            The fitted estimator.

        Raises
        ------
        ValueError
            If the data are unusable for the sampler or the estimator.
        TypeError
            If `synthetic_weight` is not 1 and the estimator takes no weights.
        """
        self._validate_params()
        with rollback(self):
            X, y = self._read(X, y)
            given = {k: v for k, v in fit_params.items() if v is not None}
            rng = check_random_state(self.random_state)
            estimator, sampler = clone(self._inner()), self._new_sampler(rng)
            to_estimator, to_sampler = self._routed(estimator, sampler, given)
            known = rows_with_weight(to_estimator, len(y))
            with naming("X", "y", *to_sampler):
                drawn = self._synthesise(sampler, X, y, known, to_sampler, rng)
            self._train(estimator, X, y, drawn, to_estimator)
        return self

    def _read(self, X: Any, y: Any) -> tuple[Any, Array]:
        """Validate rows and targets, as far as both parts want the same."""
        options: dict[str, Any] = {"skip_check_array": True}
        if not hasattr(X, "columns"):
            with naming("X"):
                X = as_host_array(X)
            options = {
                "accept_sparse": ["csr", "csc"],
                "allow_nd": True,
                "dtype": None,
                "ensure_all_finite": False,
            }
        # Only for its message where y is None.
        no_y = None if y is None else "no_validation"
        with naming("X"):
            X = validate_data(self, X=X, y=no_y, **options)
            if not hasattr(X, "columns"):
                require_no_dates(X, "X")
        with naming("y"):
            y = y.toarray() if hasattr(y, "toarray") else y  # indicators of labels
            y = _check_y(as_host_array(y), multi_output=True, estimator=self)
            if y.dtype == np.float16:  # pandas finds no labels among these
                y = y.astype(np.float32)
            if y.ndim == 2 and y.shape[1] == 1:
                y = column_or_1d(y, warn=True)
        y = self._check_targets(y)
        with naming("X and y"):
            check_consistent_length(X, y)
        return X, y

    def _new_sampler(self, rng: np.random.RandomState) -> Any:
        """Return an unfitted sampler with a seed, unless it has one of its own."""
        sampler = clone(self._sampler())
        params = sampler.get_params()
        seeds = [n for n in params if n.rpartition("__")[2] == "random_state"]
        for name in sorted(seeds):
            seed = rng.randint(2**31 - 1)
            if params[name] is None:
                sampler.set_params(**{name: seed})
        return sampler

    def _routed(
        self, estimator: Any, sampler: Any, given: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what goes to the estimator, and what to the sampler."""
        if get_config()["enable_metadata_routing"]:
            routed: Bunch = process_routing(self, "fit", **given)
            return dict(routed.estimator.fit), dict(routed.sampler.fit)
        has_fit = hasattr(sampler, "fit")
        named = {
            k: v for k, v in given.items() if has_fit and has_fit_parameter(sampler, k)
        }
        rest = {
            k: v
            for k, v in given.items()
            if k not in named or has_fit_parameter(estimator, k)
        }
        return rest, named

    def _synthesise(
        self,
        sampler: Any,
        X: Any,
        y: Array,
        known: Array,
        params: dict[str, Any],
        rng: np.random.RandomState,
    ) -> Drawn | None:
        """Return rows like the ``known`` ones, None if there shall be none."""
        source = np.random.default_rng(rng.randint(2**31 - 1, size=4))
        rows = self._rows(y[known], source)
        if not len(rows):
            return None
        if len(known) < len(y):
            X, params = _safe_indexing(X, known), _check_method_params(y, params, known)
        order = Order(X, y[known], rows, self._classes, params)
        drawn = draw(sampler, order, rng)
        return drawn._replace(rows=known[drawn.rows])

    def _train(
        self,
        estimator: Any,
        X: Any,
        y: Array,
        drawn: Drawn | None,
        params: dict[str, Any],
    ) -> None:
        if drawn is not None:
            n, m = len(y), len(drawn.rows)
            rows = np.concatenate([np.arange(n), drawn.rows])
            params = _check_method_params(y, params, rows)
            if self.synthetic_weight != 1:
                scale = np.repeat([1.0, float(self.synthetic_weight)], [n, m])
                params = scaled_weights(estimator, params, scale)
            X = joined(X, drawn.X)
            y = np.concatenate([y, drawn.y.astype(y.dtype)])
        with naming("X", "y", *params):
            self.estimator_ = estimator.fit(X, y, **params)
        self.sampler_ = None if drawn is None else drawn.sampler
        self.n_synthetic_ = 0 if drawn is None else m

    # -- what the estimator does ------------------------------------------------------

    def predict(self, X: Any) -> Array:
        """Predict with the estimator.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, ...)
            Samples.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, k)
            Predictions.
        """
        return self._ask("predict", X)

    def _ask(self, method: str, X: Any) -> Any:
        check_is_fitted(self)
        with naming("X"):
            X = X if hasattr(X, "columns") else as_host_array(X)
            if getattr(X, "dtype", None) == np.longdouble:
                X = plain_numbers(X, "X")
            found = getattr(self.estimator_, method)(X)
        numbers = isinstance(found, np.ndarray) and found.dtype.kind == "f"
        return require_finite_outputs(found) if numbers else found

    @available_if(inner_has("score"))
    def score(self, X: Any, y: Any, **params: Any) -> float:
        """Return the score of the estimator, on real samples alone.

        Parameters
        ----------
        X : DataFrame, array-like or sparse matrix of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,) or (n_samples, k)
            Their targets.
        **params : dict
            Passed on; with metadata routing enabled, if requested.

        Returns
        -------
        float
            What the estimator says; higher is better.
        """
        check_is_fitted(self)
        if get_config()["enable_metadata_routing"]:
            routed: Bunch = process_routing(self, "score", **params)
            params = dict(routed.estimator.score)
        return float(self.estimator_.score(X, on_host(y), **params))

    # -- scikit-learn's conventions ---------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Say what goes to the estimator and the sampler.

        Returns
        -------
        MetadataRouter
            See scikit-learn's user guide on metadata routing.
        """
        fit = MethodMapping().add(caller="fit", callee="fit")
        both = MethodMapping().add(caller="fit", callee="fit")
        both.add(caller="score", callee="score")
        router = MetadataRouter(owner=self)
        router.add(estimator=self._inner(), method_mapping=both)
        return router.add(sampler=self._sampler(), method_mapping=fit)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner, sampler = get_tags(self._inner()), get_tags(self._sampler())
        for name in ("sparse", "allow_nan"):
            every = (getattr(t.input_tags, name) for t in (inner, sampler))
            setattr(tags.input_tags, name, all(every))
        tags.target_tags = inner.target_tags
        tags.target_tags.required = True
        tags.classifier_tags = inner.classifier_tags or tags.classifier_tags
        tags.regressor_tags = inner.regressor_tags or tags.regressor_tags
        return tags

    def _sampler(self) -> Any:
        """Return the sampler of which a copy is fitted."""
        return CGANSampler() if self.sampler is None else self.sampler
