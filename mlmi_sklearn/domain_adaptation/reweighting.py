"""Any classifier, trained for another place by weights of its rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Tags, _safe_indexing, column_or_1d, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

from ..base.host import on_host
from ..base.inputs import as_host_array, read_targets, read_weight
from ..base.naming import check_classes, naming
from ..base.state import rollback
from ..components.doclink import DocumentationLink
from ..containers.domains import SOURCE, Domains
from ..containers.unlabelled import unlabelled
from ..exceptions import DomainWarning
from ._weighted_fit import fit_weighted
from .density_ratio import effective_sample_size, estimate_density_ratio
from .inputs import Stacked, StackedTargets, read_rows, stack
from .scoring import scored_rows

__all__ = ["ImportanceWeightedClassifier"]

Array = NDArray[Any]

# Fewer rows than this, or than this share of them, are too few to rest on.
_FEW_ROWS, _FEW = 10, 0.05


def _inner_has(method: str) -> Callable[[Any], bool]:
    def check(self: Any) -> bool:
        inner = getattr(self, "estimator_", None) or self._inner()
        return hasattr(inner, method)

    return check


class ImportanceWeightedClassifier(
    DocumentationLink, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    r"""Train any classifier on source rows, weighted as the target has them.

    If only p(x) differs between source and target (covariate shift), the risk on the
    target is that on the source with weights :math:`p_t(x) / p_s(x)`. This helps a
    model that is too simple to be right everywhere, such as a linear one; it trains on
    fewer rows, so to speak, and cannot help where the source has no rows like those of
    the target. Labels of target rows are never looked at.

    Parameters
    ----------
    estimator : estimator, default=None
        Any classifier whose ``fit`` takes ``sample_weight``, or a pipeline that ends in
        one. None means ``LogisticRegression(max_iter=1000)``.
    method : {"classifier", "kliep"}, default="classifier"
        How weights are estimated: by a probabilistic classifier of the domains, or by
        KLIEP; see :func:`~mlmi_sklearn.domain_adaptation.estimate_density_ratio`.
    clip : float or None, default=10.0
        Largest weight, in multiples of the mean; above 1. None for no limit.
    target_domains : collection of ids or None, default=None
        Ids in `sample_domain` that are targets, in place of the negative ones.
    random_state : int, RandomState instance or None, default=None
        For the estimate of the weights.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.
    weights_ : ndarray of shape (n_source,)
        Weights of the source rows, in their order, of mean 1.
    effective_sample_size_ : float
        How many equally weighted rows those with a label are worth.
    classes_ : ndarray of shape (n_classes,)
        The classes.
    n_source_, n_target_ : int
        Rows of source and target.
    domains_ : ndarray
        Ids of domains, sources first.
    n_features_in_ : int
        Features.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    Warns
    -----
    DomainWarning
        If very few source rows are like those of the target, or `sample_domain` names
        no target.

    See Also
    --------
    DANNClassifier : Learns features that do not tell the domains apart.
    estimate_class_shares : If p(y) differs rather than p(x).

    References
    ----------
    Shimodaira, *Improving predictive inference under covariate shift by weighting the
    log-likelihood function*, Journal of Statistical Planning and Inference 90, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import ImportanceWeightedClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(0, 1, (400, 1))
    >>> y = (X[:, 0] > -1) & (X[:, 0] < 1)
    >>> X_target = rng.normal(1, 0.5, (400, 1))
    >>> model = ImportanceWeightedClassifier(random_state=0)
    >>> model.fit(X, y, X_target=X_target).score(X_target, X_target[:, 0] < 1) > 0.9
    True
    >>> float(model.weights_.mean().round(6))
    1.0
    """

    __metadata_request__fit: ClassVar[dict[str, Any]] = {"sample_domain": True}
    __metadata_request__score: ClassVar[dict[str, Any]] = {"sample_domain": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "method": [StrOptions({"classifier", "kliep"})],
        "clip": [Interval(Real, 1, None, closed="neither"), None],
        "target_domains": ["array-like", set, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        method: str = "classifier",
        clip: float | None = 10.0,
        target_domains: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.clip = clip
        self.target_domains = target_domains
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_domain: Any = None,
        sample_weight: Any = None,
        *,
        X_target: Any = None,
        y_target: Any = None,
    ) -> Self:
        """Weigh the source rows and train on them.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows of all domains, or of the source alone with `X_target`.
        y : array-like of shape (n,)
            Labels. Those of target rows are not looked at, unless nothing else says
            that they are: without `sample_domain` and `X_target`, rows that carry the
            marker (-1 for integers, NaN for floats, None for objects) are the target.
        sample_domain : array-like of shape (n,), scalar, default=None
            Ids of domains: at least 0 for sources, negative for targets.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows of X, which multiply; those of target rows among them
            have no effect.
        X_target : array-like of shape (n_target, n_features), default=None
            Rows of the target.
        y_target : array-like of shape (n_target,), default=None
            Not looked at.

        Returns
        -------
        ImportanceWeightedClassifier
            The fitted classifier. Without any target an ordinary fit.

        Raises
        ------
        ValueError
            If no source row has a label, or an argument does not fit the others.
        TypeError
            If `estimator` takes no weights.
        """
        self._validate_params()
        with naming("X"):
            X = as_host_array(X)
        stacked = stack(
            X,
            y,
            sample_domain,
            X_target,
            y_target,
            target_domains=self.target_domains,
        )
        if sample_weight is not None and X_target is not None:
            # Weights of the source alone; rows of the target have none.
            given = read_weight(sample_weight, _num_samples(X))
            sample_weight = np.concatenate([given, np.ones(_num_samples(X_target))])
        with rollback(self):
            X, y, domains, weight = self._read(*stacked, sample_weight)
            self._learn(X, y, domains, weight)
        if sample_domain is not None and not self.n_target_:
            warnings.warn(
                "sample_domain names no row of a target, so all source rows weigh the "
                "same. Targets have ids below 0, or are named by target_domains=[...].",
                DomainWarning,
                stacklevel=2,
            )
        self._advise()
        return self

    def _read(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[Any, Array, Domains, Array | None]:
        """Validate rows, labels, domains and weights; labels of the target stay."""
        domains = X.domains if isinstance(X, Stacked) else None
        rows = X.X if isinstance(X, Stacked) else X
        if domains is None or not isinstance(y, StackedTargets):
            y = read_targets(self, y, numeric=False)
        with naming("y"):
            y = column_or_1d(as_host_array(getattr(y, "y", y)), warn=True)
        rows = read_rows(self, rows, reset=True, n=len(y))
        if domains is None:
            domains = Domains(np.full(len(y), SOURCE), np.zeros(len(y), dtype=bool))
        return rows, y, domains, read_weight(sample_weight, len(y))

    def _learn(self, X: Any, y: Array, domains: Domains, weight: Array | None) -> None:
        source = np.flatnonzero(~domains.is_target)
        known = _labelled(y[source])
        own = np.ones(len(source)) if weight is None else weight[source]
        # A row of weight 0 is as good as absent, also from the source's density.
        weights, kept = np.zeros(len(source)), own > 0
        if not kept.any():
            raise ValueError("sample_weight is 0 in every row of a source.")
        weights[kept] = self._weigh(X[source[kept]], X[domains.is_target])
        total = (weights * own)[known]
        plain = weight is None and not domains.is_target.any()
        labels = y[source[known]]
        with naming("y"):
            cells = np.asarray(labels.tolist())  # numbers that came beside None
        check_classes(cells if cells.dtype.kind in "biuf" else labels)
        labels = cells if labels.dtype == object else labels
        with naming("X", "y", "sample_weight"):
            self.estimator_ = fit_weighted(
                self._inner(), X[source[known]], labels, None if plain else total
            )
        self.classes_ = self.estimator_.classes_
        self.weights_ = weights
        self.effective_sample_size_ = effective_sample_size(total)
        self.domains_ = domains.names
        self.n_source_, self.n_target_ = len(source), len(domains) - len(source)

    def _weigh(self, source: Any, target: Any) -> Array:
        if not target.shape[0]:
            return np.ones(source.shape[0])
        return estimate_density_ratio(
            source,
            target,
            method=self.method,
            clip=self.clip,
            random_state=self.random_state,
        )

    def _advise(self) -> None:
        """Warn if hardly any source row is like those of the target."""
        size, n = self.effective_sample_size_, self.n_source_
        if self.n_target_ and size < min(max(_FEW_ROWS, _FEW * n), n / 2):
            warnings.warn(
                f"Few source rows are like those of the target: {n} weighted rows are "
                f"worth {size:.1f} of equal weight, so the model rests on these. Lower "
                f"clip={self.clip} for more even weights, leave out features that tell "
                "the domains apart but not the classes, or learn features that do not "
                "(DANNClassifier).",
                DomainWarning,
                stacklevel=3,
            )

    def predict(self, X: Any) -> Array:
        """Predict the class of each row.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows of any domain.

        Returns
        -------
        ndarray of shape (n,)
            Labels out of ``classes_``.
        """
        return self._ask("predict", X)

    @available_if(_inner_has("predict_proba"))
    def predict_proba(self, X: Any) -> Array:
        """Predict probabilities, where the classifier does.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows of any domain.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Columns in the order of ``classes_``.
        """
        return self._ask("predict_proba", X)

    @available_if(_inner_has("decision_function"))
    def decision_function(self, X: Any) -> Array:
        """Compute decision values, where the classifier does.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows of any domain.

        Returns
        -------
        ndarray of shape (n,) or (n, n_classes)
            As the classifier has them.
        """
        return self._ask("decision_function", X)

    def score(
        self, X: Any, y: Any, sample_domain: Any = None, sample_weight: Any = None
    ) -> float:
        """Compute the accuracy, on the target if it is named.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows of any domain.
        y : array-like of shape (n,)
            Labels; rows that carry the marker for an unknown one do not count.
        sample_domain : array-like of shape (n,), scalar, default=None
            Ids of domains. If any row of a target has a label, those rows alone count.
        sample_weight : array-like of shape (n,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Between 0 and 1.

        Raises
        ------
        ValueError
            If no row has a label.
        """
        check_is_fitted(self)
        y, sample_weight = on_host(y), on_host(sample_weight)
        rows = scored_rows(self, X, y, on_host(sample_domain))
        if rows is not None:
            X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
            if sample_weight is not None:
                sample_weight = _safe_indexing(sample_weight, rows)
        return float(super().score(X, y, sample_weight=sample_weight))

    def _ask(self, method: str, X: Any) -> Array:
        check_is_fitted(self)
        X = read_rows(self, X, reset=False)
        with naming("X"):
            return np.asarray(getattr(self.estimator_, method)(X))

    def _inner(self) -> Any:
        """Return an unfitted copy of the classifier."""
        given = self.estimator
        return LogisticRegression(max_iter=1000) if given is None else clone(given)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._inner())
        tags.input_tags.sparse = inner.input_tags.sparse
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        return tags


def _labelled(y: Array) -> Array:
    """Return which rows have a label; there must be some."""
    missing = unlabelled(y)
    known = np.ones(len(y), dtype=bool) if missing is None else ~missing
    if not known.any():
        raise ValueError(
            "No row of a source has a label in y. Pass labelled rows with "
            "sample_domain >= 0, or rows of the target alone as X_target."
        )
    return known
