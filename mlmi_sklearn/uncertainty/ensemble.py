"""Ensembles of one estimator trained from several seeds."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.ensemble._base import _set_random_states
from sklearn.utils import Bunch, Tags, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from ..base.host import ScoredClassifier
from ..components.doclink import DocumentationLink
from ..metrics import predictive_uncertainty
from ..persistence.flat import PlainState
from ..supervised import NetClassifier
from .instances import EnsembleInstances
from .members import bootstrap_rows, finite_log, probabilities_of, train_member

__all__ = ["DeepEnsembleClassifier"]

Array = NDArray[Any]


class DeepEnsembleClassifier(
    DocumentationLink,
    PlainState,
    EnsembleInstances,
    MetaEstimatorMixin,
    ScoredClassifier,
    BaseEstimator,
):
    r"""Average the probabilities of copies of a classifier with different seeds.

    Nets that differ in nothing but their initial weights and the order of the batches
    agree where the data decide and differ where they do not. With members
    :math:`m = 1..M`,

    .. math:: \bar p(c \mid x) = \tfrac 1 M \sum_m p_m(c \mid x),

    which is often more accurate and better calibrated than a single net; measure it
    with :func:`~mlmi_sklearn.metrics.expected_calibration_error`, since small nets
    gain little. :meth:`predict_uncertainty` tells doubt about the data from doubt
    about the model.

    Parameters
    ----------
    estimator : estimator, default=None
        Any classifier with ``predict_proba``: a deep one, one for bags, a pipeline
        that ends in one. None means ``NetClassifier()``. Parameters are reached as
        ``estimator__*``.
    n_estimators : int, default=5
        Number of members, at least 1.
    bootstrap : bool, default=False
        Whether each member trains on samples drawn with replacement, as many of each
        class as there are. Different seeds alone are usually better for deep members.
    n_jobs : int, default=None
        Members trained at the same time, as in joblib; -1 for all processors.
    random_state : int, RandomState instance or None, default=None
        Determines the seed of each member, which replaces every ``random_state`` in
        ``estimator``, and the samples of a bootstrap.

    Attributes
    ----------
    estimators_ : list of estimator
        The members.
    classes_ : ndarray of shape (n_classes,)
        The classes; for multi-label targets the label numbers.
    n_features_in_ : int
        Features, where members know them.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    See Also
    --------
    mc_dropout : Samples from one net.
    mlmi_sklearn.metrics.predictive_uncertainty : The kinds of doubt.
    sklearn.ensemble.BaggingClassifier : Bootstrap samples and parts of the features.

    Notes
    -----
    With members that keep the maximum over instances exactly
    (``MILClassifier(pooling="max")``), the ensemble keeps the standard assumption in
    that another instance never lowers the probability of a bag. The exact link becomes
    a bound: a mean of maxima is at least the maximum of the means, so the probability
    of a bag may exceed that of each of its instances, where members disagree about
    which instance it is.

    Parameters of ``fit`` beyond ``sample_weight`` are passed on to the members; with
    metadata routing enabled, to those that request them.

    References
    ----------
    Lakshminarayanan, Pritzel and Blundell, *Simple and scalable predictive uncertainty
    estimation using deep ensembles*, NeurIPS 2017.

    Examples
    --------
    >>> from mlmi_sklearn import DeepEnsembleClassifier, MILClassifier
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> bags, y = make_digit_bags(n_bags=40, random_state=0)
    >>> model = DeepEnsembleClassifier(
    ...     MILClassifier(max_epochs=20), n_estimators=3, random_state=0
    ... ).fit(bags, y)
    >>> model.predict_members_proba(bags).shape
    (3, 40, 2)
    >>> list(model.predict_uncertainty(bags).columns[:3])
    ['entropy', 'expected_entropy', 'mutual_information']
    """

    # fit passes weights on to the members, which say themselves if they want them.
    __metadata_request__fit: ClassVar[dict[str, str]] = {"sample_weight": UNUSED}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "estimator": [HasMethods(["fit"]), None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "bootstrap": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        n_estimators: int = 5,
        *,
        bootstrap: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.bootstrap = bootstrap
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, **fit_params: Any
    ) -> DeepEnsembleClassifier:
        """Train all members.

        Parameters
        ----------
        X : array-like, Bags or other bags
            What the members take.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes, or an indicator matrix where members take one.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights, for members whose ``fit`` takes them.
        **fit_params : dict
            Further parameters of the ``fit`` of members; those with one entry a sample
            are drawn along in a bootstrap.

        Returns
        -------
        DeepEnsembleClassifier
            The fitted ensemble.

        Raises
        ------
        ValueError
            If the data or a parameter is unusable.
        TypeError
            If members have no ``predict_proba``.
        """
        self._validate_params()
        if sample_weight is not None:
            fit_params["sample_weight"] = sample_weight
        params = self._routed(fit_params)
        self._warn_of_twins()
        rng = check_random_state(self.random_state)
        jobs = [self._job(rng, y, params) for _ in range(self.n_estimators)]
        members = Parallel(n_jobs=self.n_jobs)(
            delayed(train_member)(member, X, y, rows, params) for member, rows in jobs
        )
        self.estimators_ = members
        self.classes_ = members[0].classes_
        self._multi_label = type_of_target(y).startswith("multilabel")
        return self

    def predict_members_proba(self, X: Any) -> Array:
        """Predict probabilities with each member.

        Parameters
        ----------
        X : array-like, Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_estimators, n_samples, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return np.stack([probabilities_of(member, X) for member in self.estimators_])

    def predict_proba(self, X: Any) -> Array:
        """Predict the mean over members of their probabilities.

        Parameters
        ----------
        X : array-like, Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``.
        """
        return self.predict_members_proba(X).mean(axis=0)

    def decision_function(self, X: Any) -> Array:
        """Compute log-odds of the mean probabilities.

        Parameters
        ----------
        X : array-like, Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            The logit log(p / (1 - p)) of ``classes_[1]`` with two classes, and of each
            label; log(p) of each of more classes.
        """
        p = self.predict_proba(X)
        other = 1 - p if self._multi_label else p[:, :1]
        if len(self.classes_) > 2 and not self._multi_label:
            return finite_log(p)
        # Both columns are read, since 1 - p cannot tell 1 from 1 - 1e-17.
        odds = finite_log(p) - finite_log(other)
        return odds if self._multi_label else odds[:, 1]

    def predict(self, X: Any) -> Array:
        """Predict the class with the largest mean probability.

        Parameters
        ----------
        X : array-like, Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Elements of ``classes_``, or 0 and 1 for multi-label targets.
        """
        return self._decide(self.predict_proba(X))

    def predict_uncertainty(self, X: Any, *, instances: bool = False) -> pd.DataFrame:
        """Measure how unsure the ensemble is, and of which kind the doubt is.

        Parameters
        ----------
        X : array-like, Bags or other bags
            As in :meth:`fit`.
        instances : bool, default=False
            Whether to measure it for instances instead of bags.

        Returns
        -------
        DataFrame
            One row a sample, or an instance, in the order of ``Bags.values``; see
            :func:`~mlmi_sklearn.metrics.predictive_uncertainty`.

        Raises
        ------
        ValueError
            For multi-label targets: pass one label at a time to
            ``predictive_uncertainty``.
        """
        check_is_fitted(self)
        if self._multi_label:
            raise ValueError(
                "predict_uncertainty is defined for classes. For label j use p = "
                "predict_members_proba(X)[:, :, j] and "
                "predictive_uncertainty(np.stack([1 - p, p], axis=-1))."
            )
        if not instances:
            return predictive_uncertainty(self.predict_members_proba(X))
        said = self._members_on_instances("predict_instances_proba", X)[0]
        return predictive_uncertainty(said)

    @property
    def n_features_in_(self) -> int:
        """Features that members saw."""
        return self.estimators_[0].n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features, where members saw any."""
        return self.estimators_[0].feature_names_in_

    def get_metadata_routing(self) -> MetadataRouter:
        """Say what ``fit`` passes on to the members.

        Returns
        -------
        MetadataRouter
            See scikit-learn's user guide on metadata routing.
        """
        to_members = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self._inner(), method_mapping=to_members)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        inner = get_tags(self._inner())
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        return tags

    def _inner(self) -> Any:
        """Return the estimator of which members are copies."""
        if self.estimator is not None:
            return self.estimator
        inner = NetClassifier()
        if get_config()["enable_metadata_routing"]:
            inner.set_fit_request(sample_weight=True)
        return inner

    def _routed(self, fit_params: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters for the ``fit`` of members."""
        inner = self._inner()
        if not hasattr(inner, "predict_proba"):
            raise TypeError(
                f"estimator={inner!r} has no predict_proba to be averaged. Choose a "
                "loss with probabilities, or wrap it in CalibratedClassifierCV."
            )
        if not get_config()["enable_metadata_routing"]:
            return fit_params
        routed: Bunch = process_routing(self, "fit", **fit_params)
        return dict(routed.estimator.fit)

    def _warn_of_twins(self) -> None:
        """Warn if nothing tells the members apart."""
        names = self._inner().get_params()
        seeded = any(n.rpartition("__")[2] == "random_state" for n in names)
        if not seeded and not self.bootstrap and self.n_estimators > 1:
            warnings.warn(
                f"estimator={self._inner()!r} draws nothing at random, so all members "
                "are equal and their disagreement is zero, whatever the doubt. Pass "
                "bootstrap=True.",
                UserWarning,
                stacklevel=3,
            )

    def _job(
        self, rng: np.random.RandomState, y: Any, params: dict[str, Any]
    ) -> tuple[Any, Array | None]:
        """Return an untrained member and the rows it trains on, None for all."""
        member = clone(self._inner())
        _set_random_states(member, rng)
        if not self.bootstrap:
            return member, None
        return member, bootstrap_rows(y, params.get("sample_weight"), rng)

    def _decide(self, proba: Array) -> Array:
        """Turn mean probabilities into classes or indicators."""
        if self._multi_label:
            return (proba > 0.5).astype(int)
        return self.classes_[proba.argmax(axis=1)]
