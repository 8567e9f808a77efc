"""Splitters of rows from several domains."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import _num_samples

from mlmi_sklearn.containers.domains import Domains
from mlmi_sklearn.model_selection._rows import (
    class_codes,
    needed_domains,
    unknown_labels,
)

__all__ = ["DomainStratifiedKFold", "LeaveOneDomainOut"]

Fold = tuple[np.ndarray, np.ndarray]

_IDS = "; targets have ids below 0, or are named by target_domains=[...]."


class DomainStratifiedKFold(BaseCrossValidator):
    """Folds that hold every domain, and every class of the source, in equal shares.

    Integer ``cv=5`` cuts stacked rows into blocks, and so into folds of one domain.
    Here rows are dealt out one by one, domain after domain and class after class, so
    that numbers of rows differ by at most one between folds: in all, of source, of
    target, of a domain and of a class in a domain of the source.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    target : {"split", "train"}, default="split"
        Whether rows of the target are dealt out like the others, or are part of every
        training set and of no test set. The latter is for targets without labels, of
        which tests could make no use.
    shuffle : bool, default=True
        Whether rows of a class and domain are dealt in random order.
    random_state : int, RandomState instance or None, default=None
        Determines that order; only with ``shuffle=True``.
    target_domains : collection of ids or None, default=None
        Domains that are the target, where ids are names; with None, those below 0.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of its range, or `random_state` has no effect.

    Notes
    -----
    Labels of target rows have no influence, except whether they are known. Measured
    values, as in regression, and labels of several columns are not stratified by.

    The splitter asks for ``sample_domain`` itself, so with scikit-learn's metadata
    routing switched on nothing more is needed. With routing off, scikit-learn gives a
    splitter nothing but ``groups``: there, either pass the ids as ``groups`` too, or
    mark the labels of target rows in y.

    Examples
    --------
    >>> import sklearn
    >>> from sklearn.model_selection import cross_validate
    >>> from mlmi_sklearn.datasets import make_rotated_moons
    >>> from mlmi_sklearn.model_selection import DomainStratifiedKFold
    >>> X, y, sample_domain = make_rotated_moons(20, n_target=10, random_state=0)
    >>> cv = DomainStratifiedKFold(n_splits=5, random_state=0)
    >>> for train, test in cv.split(X, y, sample_domain):
    ...     print((sample_domain[test] >= 0).sum(), (sample_domain[test] < 0).sum())
    4 2
    4 2
    4 2
    4 2
    4 2

    In scikit-learn's tools, with routing:

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     found = cross_validate(
    ...         KNeighborsClassifier(), X, y, cv=cv,
    ...         params={"sample_domain": sample_domain},
    ...     )
    >>> len(found["test_score"])
    5
    """

    __metadata_request__split: ClassVar[dict[str, Any]] = {"sample_domain": True}

    def __init__(
        self,
        n_splits: int = 5,
        *,
        target: Literal["split", "train"] = "split",
        shuffle: bool = True,
        random_state: Any = None,
        target_domains: Collection[Any] | None = None,
    ) -> None:
        check_scalar(n_splits, "n_splits", Integral, min_val=2)
        if target not in ("split", "train"):
            raise ValueError(f"target must be 'split' or 'train', got {target!r}.")
        if not isinstance(shuffle, bool | np.bool_):
            raise TypeError(f"shuffle must be True or False, got {shuffle!r}.")
        if not shuffle and random_state is not None:
            raise ValueError(
                "random_state has no effect with shuffle=False; leave it at None, or "
                "set shuffle=True."
            )
        self.n_splits = n_splits
        self.target = target
        self.shuffle = shuffle
        self.random_state = random_state
        self.target_domains = target_domains

    def get_n_splits(
        self,
        X: Any = None,
        y: Any = None,
        sample_domain: Any = None,
        groups: Any = None,
    ) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, sample_domain, groups : object, default=None
            Not used.

        Returns
        -------
        int
            The number.
        """
        return self.n_splits

    def split(
        self, X: Any, y: Any = None, sample_domain: Any = None, groups: Any = None
    ) -> Iterator[Fold]:
        """Generate the rows of training and test sets.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows of all domains; only their number is used.
        y : array-like of shape (n,) or None, default=None
            Labels.
        sample_domain : array-like of shape (n,) or None, default=None
            Ids: at least 0 for sources, below 0 for targets. With None, rows that
            carry the unlabelled marker in y are the target.
        groups : array-like of shape (n,) or None, default=None
            Ids under the only name by which scikit-learn passes them while metadata
            routing is off. Groups of rows that must stay together are not meant.

        Yields
        ------
        train, test : ndarray of int
            Positions of rows, ascending.

        Raises
        ------
        ValueError
            If nothing says which rows are the target, or a domain side has fewer rows
            than there are folds.

        Warns
        -----
        UserWarning
            If a class of the source has fewer rows than there are folds.
        """
        ids = groups if sample_domain is None else sample_domain
        domains = needed_domains(
            type(self).__name__, X, y, ids, self.target_domains, routing_hint=True
        )
        self._check_sizes(domains)
        fold = self._deal(domains, y)
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)

    def _check_sizes(self, domains: Domains) -> None:
        n_target = int(domains.is_target.sum())
        sides = {"source": len(domains) - n_target, "target": n_target}
        for side, n in sides.items():
            split = side == "source" or self.target == "split"
            need = self.n_splits if split else 1
            if n < need:
                raise ValueError(
                    f"Every fold needs rows of the {side}, but there are {n} for "
                    f"n_splits={self.n_splits}. "
                    + ("Take fewer splits." if n >= 2 else f"Add rows of the {side}")
                    + ("" if n >= 2 else _IDS)
                )

    def _deal(self, domains: Domains, y: Any) -> np.ndarray:
        """Return the fold of each row; -1 for rows that are never tested."""
        known = np.zeros(len(domains), bool) if y is None else ~unknown_labels(y)
        source = ~domains.is_target
        classes = class_codes(y, known & source)
        self._warn_of_rare_classes(classes)
        # Whether a target row has a label tells nothing about which.
        strata = np.where(source, classes, known)
        rng = check_random_state(self.random_state) if self.shuffle else None
        n = len(domains)
        rank = np.arange(n) if rng is None else rng.permutation(n)
        order = np.lexsort((rank, strata, domains.codes(domains.names)))
        if self.target == "train":
            order = order[source[order]]
        fold = np.full(n, -1)
        fold[order] = np.arange(len(order)) % self.n_splits
        return fold

    def _warn_of_rare_classes(self, classes: np.ndarray) -> None:
        sizes = np.bincount(classes)[1:]
        if len(sizes) and sizes.min() < self.n_splits:
            warnings.warn(
                f"The rarest class of the source has {sizes.min()} rows, fewer than "
                f"n_splits={self.n_splits}: some folds are tested without it.",
                UserWarning,
                stacklevel=4,
            )


class LeaveOneDomainOut(BaseCrossValidator):
    """Each domain of the source in turn is the test set.

    The training set is everything else. So it holds all rows of the target, if there
    are any: they have no labels to test with, and adaptation needs them.

    This is the rule to choose hyper-parameters by for a hospital nobody has seen. The
    tested domain takes no part in training, not even without its labels. To let it be
    the unlabelled target meanwhile, ids must change from fold to fold, which no
    splitter can do: use :func:`iter_target_domains`, or
    ``safe_cv(..., cv="each-target")``.

    Parameters
    ----------
    target_domains : collection of ids or None, default=None
        Domains that are the target, where ids are names; with None, those below 0. An
        empty collection says that there is none.

    Notes
    -----
    As :class:`DomainStratifiedKFold` it asks for ``sample_domain`` itself, and takes
    ``groups`` in its place where metadata routing is off.

    References
    ----------
    Gulrajani, I. and Lopez-Paz, D. (2021). In search of lost domain generalization.
    ICLR, section 3 (leave-one-domain-out cross-validation).

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.model_selection import LeaveOneDomainOut
    >>> hospital = np.array([0, 0, 1, 1, 2, -1])
    >>> cv = LeaveOneDomainOut()
    >>> for train, test in cv.split(np.zeros((6, 1)), sample_domain=hospital):
    ...     print(train, test)
    [2 3 4 5] [0 1]
    [0 1 4 5] [2 3]
    [0 1 2 3 5] [4]
    """

    __metadata_request__split: ClassVar[dict[str, Any]] = {"sample_domain": True}

    def __init__(self, *, target_domains: Collection[Any] | None = None) -> None:
        self.target_domains = target_domains

    def get_n_splits(
        self,
        X: Any = None,
        y: Any = None,
        sample_domain: Any = None,
        groups: Any = None,
    ) -> int:
        """Return the number of domains of the source.

        Parameters
        ----------
        X : array-like of shape (n, ...) or None, default=None
            Rows; only their number is used.
        y : object, default=None
            Not used.
        sample_domain : array-like of shape (n,), default=None
            Ids of domains.
        groups : array-like of shape (n,) or None, default=None
            Ids, where metadata routing is off.

        Returns
        -------
        int
            The number.

        Raises
        ------
        ValueError
            If there are no ids.
        """
        ids = groups if sample_domain is None else sample_domain
        n = len(np.ravel(ids)) if X is None and ids is not None else _num_samples(X)
        domains = self._domains(np.empty((n, 0)), ids)
        return domains.n_sources

    def split(
        self, X: Any, y: Any = None, sample_domain: Any = None, groups: Any = None
    ) -> Iterator[Fold]:
        """Generate the rows of training and test sets.

        Parameters
        ----------
        X : array-like of shape (n, ...)
            Rows of all domains; only their number is used.
        y : object, default=None
            Not used.
        sample_domain : array-like of shape (n,), default=None
            Ids of domains.
        groups : array-like of shape (n,) or None, default=None
            Ids, where metadata routing is off.

        Yields
        ------
        train, test : ndarray of int
            Positions of rows, ascending; domains in the order of their first rows.

        Raises
        ------
        ValueError
            If there are no ids, or fewer than two domains of the source.
        """
        ids = groups if sample_domain is None else sample_domain
        domains = self._domains(X, ids)
        if domains.n_sources < 2:
            raise ValueError(
                "LeaveOneDomainOut needs two domains of the source at least, got "
                f"{domains.n_sources}; sample_domain holds ids of at least 0 for them."
            )
        codes = domains.codes(domains.names)
        for number in range(domains.n_sources):
            yield np.flatnonzero(codes != number), np.flatnonzero(codes == number)

    def _domains(self, X: Any, ids: Any) -> Domains:
        """Return domains; labels that are unknown cannot tell sources apart."""
        if ids is None:
            raise ValueError(
                "LeaveOneDomainOut has to know the domain of each row: pass "
                "sample_domain (in a search or cross_validate this needs "
                "sklearn.set_config(enable_metadata_routing=True))."
            )
        return needed_domains(
            type(self).__name__, X, None, ids, self.target_domains, routing_hint=True
        )
