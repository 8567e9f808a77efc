"""Scores with labels of one domain, and of the way to a domain and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object

from mlmi_sklearn.metrics.domain_distance import proxy_a_distance
from mlmi_sklearn.metrics.domain_scorers._base import (
    DomainScorer,
    domain_request,
    metric_scorer,
)
from mlmi_sklearn.metrics.domain_scorers._domains import (
    DomainRows,
    domain_rows,
    labelled_target,
)
from mlmi_sklearn.metrics.domain_scorers._fitting import best_of
from mlmi_sklearn.metrics.domain_scorers._outputs import features
from mlmi_sklearn.metrics.domain_scorers._reverse import reverse_agreement, way_back

__all__ = [
    "PADScorer",
    "ReverseValidationScorer",
    "SourceScorer",
    "TargetScorer",
    "target_scorer",
]


@dataclass(frozen=True, kw_only=True, repr=False)
class SourceScorer(DomainScorer):
    """A score of the source rows."""

    scoring: Any = None

    name: ClassVar[str] = "source"
    needs: ClassVar[tuple[str, ...]] = ("labelled",)

    def _score(self, estimator: Any, rows: DomainRows) -> float:
        scorer = metric_scorer(self.scoring, estimator)
        return float(scorer(estimator, rows.take(rows.labelled), rows.labels))


@dataclass(frozen=True, kw_only=True, repr=False)
class PADScorer(DomainScorer):
    """Minus the proxy A-distance of the features."""

    random_state: int | np.random.RandomState | None = 0

    name: ClassVar[str] = "pad"

    def _score(self, estimator: Any, rows: DomainRows) -> float:
        pair = (features(estimator, rows.take(r)) for r in (rows.source, rows.target))
        return -proxy_a_distance(*pair, random_state=self.random_state)


@dataclass(frozen=True, kw_only=True, repr=False)
class ReverseValidationScorer(DomainScorer):
    """Agreement with source labels after adapting back from the target."""

    name: ClassVar[str] = "reverse"
    needs: ClassVar[tuple[str, ...]] = ("labelled", "target")

    def _score(self, estimator: Any, rows: DomainRows) -> float:
        predict = way_back(estimator, estimator, rows, rows.labelled, rows.target)
        return reverse_agreement(estimator, predict, rows, rows.labelled)


class TargetScorer:
    """A callable ``scorer(estimator, X, y, sample_domain)`` for labelled target rows.

    Made by :func:`target_scorer`.

    Parameters
    ----------
    scoring : str, callable or None, default=None
        A scorer of scikit-learn's.
    target_domains : tuple or None, default=None
        Ids of the target where they are names.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> from mlmi_sklearn.metrics import TargetScorer
    >>> X, y, domain = [[0], [1], [2], [3]], [0, 0, 0, 1], [0, 0, -1, -1]
    >>> model = DummyClassifier().fit(X, y)
    >>> TargetScorer("accuracy")(model, X, y, sample_domain=domain)
    0.5
    """

    def __init__(
        self, scoring: Any = None, target_domains: tuple[Any, ...] | None = None
    ) -> None:
        self.scoring = scoring
        self.target_domains = target_domains

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_domain: Any = None,
        **metadata: Any,
    ) -> Any:
        """Score a fitted estimator on target rows whose label is known.

        Parameters
        ----------
        estimator : estimator
            Fitted.
        X : array-like of shape (n_samples, ...)
            Rows of both domains, or of the target.
        y : array-like of shape (n_samples,)
            Labels; rows with the unlabelled marker do not count.
        sample_domain : array-like of shape (n_samples,), int or str
            One id a row, below 0 for target.
        **metadata : array-like of shape (n_samples,)
            Further arguments of the scorer, such as ``sample_weight``, one value a
            row.

        Returns
        -------
        float
            What the scorer returns.

        Raises
        ------
        ValueError
            If no target row has a label.
        """
        rows = domain_rows(
            X, y, sample_domain, best_of(estimator), target_domains=self.target_domains
        )
        if y is None:
            raise ValueError("y is None; labels of target rows are needed here.")
        positions, labels = labelled_target(rows, y, best_of(estimator))
        if not len(positions):
            raise ValueError(
                "No target row has a label to score against. Pass y with the labels "
                "and sample_domain (below 0 for target) with metadata routing enabled; "
                "where the marker in y tells the target, its rows have no label."
            )
        some = {
            name: value if value is None else _safe_indexing(value, positions)
            for name, value in metadata.items()
        }
        scorer = metric_scorer(self.scoring, best_of(estimator))
        return scorer(estimator, rows.take(positions), labels, **some)

    def get_metadata_routing(self) -> MetadataRequest:
        """Ask for ``sample_domain`` and what the scorer inside asks for.

        Returns
        -------
        MetadataRequest
            With ``sample_domain`` for ``score``.
        """
        request = domain_request(self)
        if self.scoring is not None:
            inner = get_routing_for_object(get_scorer(self.scoring))
            for name, alias in inner.score.requests.items():
                request.score.add_request(param=name, alias=alias)
        return request

    def __repr__(self) -> str:
        more = ""
        if self.target_domains is not None:
            more = f", target_domains={list(self.target_domains)!r}"
        return f"target_scorer({self.scoring!r}{more})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TargetScorer) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((TargetScorer, self.scoring))


def target_scorer(scoring: Any = None, *, target_domains: Any = None) -> TargetScorer:
    """Restrict any scorer to target rows whose label is known.

    This is the score to report where labels of the target exist, and the only one here
    that reads them. In a search it is the oracle: choosing by it uses target labels.

    Parameters
    ----------
    scoring : str, callable or None, default=None
        Name of a scorer, such as ``"roc_auc"``, or a callable
        ``scorer(estimator, X, y)``. None is accuracy for classifiers and the
        coefficient of determination for regressors.
    target_domains : list, default=None
        Ids of the target where `sample_domain` holds names; None asks the estimator.

    Returns
    -------
    TargetScorer
        Callable as ``scorer(estimator, X, y, sample_domain)``. It requests
        ``sample_domain``, so metadata routing has to be enabled for
        scikit-learn's tools to pass it.

    Raises
    ------
    ValueError
        If no scorer has that name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn import config_context
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from mlmi_sklearn.metrics import target_scorer
    >>> X = np.tile([[0.0], [1.0], [2.0], [3.0]], (10, 1))
    >>> y = np.tile([0, 0, 1, 1], 10)
    >>> domain = np.where(np.arange(40) % 8 < 4, 0, -1)
    >>> with config_context(enable_metadata_routing=True):
    ...     cross_val_score(
    ...         LogisticRegression(), X, y, cv=2, scoring=target_scorer("roc_auc"),
    ...         params={"sample_domain": domain},
    ...     )
    array([1., 1.])
    """
    if scoring is not None:
        get_scorer(scoring)
    return TargetScorer(
        scoring, None if target_domains is None else tuple(target_domains)
    )
