"""The scorer object that scikit-learn's searches call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from sklearn.base import is_regressor
from sklearn.metrics import get_scorer
from sklearn.utils.metadata_routing import MetadataRequest

from mlmi_sklearn.metrics.domain_scorers._domains import DomainRows, domain_rows
from mlmi_sklearn.metrics.domain_scorers._fitting import best_of

__all__ = ["DomainScorer", "domain_request", "metric_scorer"]


def domain_request(owner: Any) -> MetadataRequest:
    """Return the request for ``sample_domain`` that a scorer makes of its caller."""
    request = MetadataRequest(owner=owner)
    request.score.add_request(param="sample_domain", alias=True)
    return request


def metric_scorer(scoring: Any, estimator: Any) -> Any:
    """Return a scorer; None is accuracy for a classifier, R2 for a regressor."""
    if scoring is None:
        scoring = "r2" if is_regressor(estimator) else "accuracy"
    return get_scorer(scoring)


@dataclass(frozen=True, kw_only=True, repr=False)
class DomainScorer(ABC):
    """A callable ``scorer(estimator, X, y, sample_domain)`` that reads no target label.

    Made by :func:`make_domain_scorer`, which explains the parameters. The object asks
    for ``sample_domain`` by itself: with metadata routing enabled, scikit-learn's tools
    pass it on without any ``set_score_request``.

    Parameters
    ----------
    target_domains : tuple or None, default=None
        Ids of the target, where `sample_domain` holds names; None asks the estimator.

    Examples
    --------
    >>> from mlmi_sklearn.metrics import DomainScorer, im_scorer
    >>> isinstance(im_scorer, DomainScorer)
    True
    """

    target_domains: tuple[Any, ...] | None = None

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ("source", "target")
    classifiers_only: ClassVar[bool] = False

    def __call__(
        self, estimator: Any, X: Any, y: Any = None, sample_domain: Any = None
    ) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted; a search counts as what it chose.
        X : array-like of shape (n_samples, ...)
            Rows of both domains.
        y : array-like of shape (n_samples,), default=None
            Labels of the source, where the score needs them. Those of target rows
            are never read.
        sample_domain : array-like of shape (n_samples,), int or str, default=None
            One id a row, 0 and above for source and below 0 for target. With None,
            rows with the unlabelled marker in y are the target.

        Returns
        -------
        float
            Larger is better.

        Raises
        ------
        ValueError
            If nothing says which rows are the target, or a domain that is needed has
            no rows.
        TypeError
            If the estimator is a regressor and the score is about classes.
        """
        estimator = best_of(estimator)
        if self.classifiers_only and is_regressor(estimator):
            raise TypeError(
                f"The {self.name} score looks at class probabilities and "
                f"{type(estimator).__name__} is a regressor; use source, pad, reverse, "
                "dev or importance-weighted."
            )
        rows = domain_rows(
            X, y, sample_domain, estimator, target_domains=self.target_domains
        )
        for domain in self.needs:
            if not len(getattr(rows, domain)):
                what = {"labelled": "labelled source"}.get(domain, domain)
                raise ValueError(
                    f"The {self.name} score needs {what} rows and got none; split so "
                    "that each fold holds rows of both domains. Targets have ids below "
                    "0, or are named by target_domains=[...]."
                )
        return float(self._score(estimator, rows))

    @abstractmethod
    def _score(self, estimator: Any, rows: DomainRows) -> float:
        """Return the score; larger is better."""

    def get_metadata_routing(self) -> MetadataRequest:
        """Ask scikit-learn's tools for ``sample_domain``.

        Returns
        -------
        MetadataRequest
            With ``sample_domain`` for ``score``.
        """
        return domain_request(self)

    def __repr__(self) -> str:
        parts = [repr(self.name)]
        parts += [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"make_domain_scorer({', '.join(parts)})"
