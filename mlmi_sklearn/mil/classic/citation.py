"""Distances between bags, and the neighbours that cite and are cited."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
)

from ...base.host import ScoredClassifier
from ...base.inputs import read_targets, read_weight
from ...base.naming import check_classes, naming
from ...base.state import rollback
from ...components.doclink import DocumentationLink
from ...containers import Bags
from ...persistence.flat import PlainState
from ._distances import nearest_to_bags, smallest_of_bags
from ._template import read_pair, read_vectors

__all__ = ["CitationKNN", "bag_distance_matrix"]

Array = NDArray[Any]

KINDS = ("min-hausdorff", "max-hausdorff", "mean-hausdorff")


def bag_distance_matrix(
    X: Any, Y: Any = None, kind: str = "min-hausdorff", *, rank: int = 1
) -> Array:
    r"""Compute distances between bags from Euclidean distances of their instances.

    With :math:`d(a, B) = \min_{b \in B} \lVert a - b \rVert`:

    - ``"min-hausdorff"``: :math:`\min_{a \in A} d(a, B)`. With `rank` r > 1, the r-th
      smallest instead of the smallest (the largest in bags of fewer instances),
      taken from A to B and from B to A, whichever is larger;
    - ``"max-hausdorff"``: the classic one, :math:`\max_{a \in A} d(a, B)` from A to B
      and from B to A, whichever is larger;
    - ``"mean-hausdorff"``: the mean of all :math:`d(a, B)` and :math:`d(b, A)`.

    Parameters
    ----------
    X : Bags or other bags
        See :func:`~mlmi_sklearn.check_bags`; instances may be CSR.
    Y : Bags or other bags, default=None
        The other bags; None compares the bags of `X` with each other.
    kind : {"min-hausdorff", "max-hausdorff", "mean-hausdorff"}, default="min-hausdorff"
        The distance.
    rank : int, default=1
        Of ``"min-hausdorff"`` only.

    Returns
    -------
    ndarray of shape (n_bags_X, n_bags_Y)
        Distances in units of the features; zero between equal bags.

    Raises
    ------
    BagError, ValueError
        If X or Y cannot be read as bags of vectors of one width, or `kind` or `rank`
        is unknown.

    Notes
    -----
    Only blocks of the distances between instances are in memory at a time. The matrix
    serves ``KNeighborsClassifier(metric="precomputed")`` and clustering.

    References
    ----------
    Wang and Zucker, *Solving the multiple-instance problem: a lazy learning approach*,
    ICML 2000, section 2. Zhang and Zhou, *Multi-instance clustering with applications
    to multi-instance prediction*, Applied Intelligence 31, 2009 (mean).

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import Bags
    >>> from mlmi_sklearn.mil import bag_distance_matrix
    >>> bags = Bags(np.array([[0.0], [1.0], [4.0]]), lengths=[2, 1])
    >>> bag_distance_matrix(bags)
    array([[0., 3.],
           [3., 0.]])
    >>> bag_distance_matrix(bags, kind="max-hausdorff")
    array([[0., 4.],
           [4., 0.]])
    """
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is unknown; choose among {KINDS}.")
    if not isinstance(rank, Integral) or rank < 1:
        raise ValueError(f"rank must be an int of at least 1, got {rank!r}.")
    return distances_of(*read_pair(X, Y), kind, int(rank))


def distances_of(first: Bags, second: Bags | None, kind: str, rank: int) -> Array:
    """Compute distances between validated bags; None compares `first` with itself."""
    other = first if second is None else second
    there = _directed(first, other, kind, rank)
    one_way = kind == "min-hausdorff" and rank == 1
    if second is None:
        back = there.T  # also for one way, where rounding may differ
    elif one_way:
        return there
    else:
        back = _directed(second, first, kind, rank).T
    if kind == "mean-hausdorff":
        return (there + back) / (first.lengths[:, np.newaxis] + other.lengths)
    return np.minimum(there, back) if one_way else np.maximum(there, back)


def _directed(first: Bags, second: Bags, kind: str, rank: int) -> Array:
    """Reduce the distances of instances of `first` to the bags in `second`."""
    squared = nearest_to_bags(first.values, second.values, second.lengths)
    starts = first.offsets[:-1]
    if kind == "mean-hausdorff":
        return np.add.reduceat(np.sqrt(squared), starts, axis=0)
    if kind == "max-hausdorff":
        return np.sqrt(np.maximum.reduceat(squared, starts, axis=0))
    return np.sqrt(smallest_of_bags(squared, first.lengths, rank))


def _to_single_digits(distances: Array) -> Array:
    """Round distances to the 24 digits that single precision has, at any scale.

    The same two bags can be a last digit further apart when they are met in another
    block or layout. Votes must not hang on that.
    """
    digits, exponent = np.frexp(distances)
    return np.ldexp(np.rint(digits * 2.0**24), exponent - 24)


class CitationKNN(DocumentationLink, PlainState, ScoredClassifier, BaseEstimator):
    """Classify a bag by its nearest bags and by the bags to which it is near.

    The *references* of a bag are its `n_references` nearest training bags. Its
    *citers* are the training bags that have it among their own `n_citers` nearest. All
    of them vote. A tie goes to the class that comes first in ``classes_``; for two
    classes that is the negative one, as in the paper.

    Parameters
    ----------
    n_references : int, default=2
        Nearest bags that vote.
    n_citers : int, default=4
        A training bag votes if the bag in question is among its `n_citers` nearest,
        counted with the other training bags. 0 means plain nearest neighbours.
    distance : {"min-hausdorff", "max-hausdorff", "mean-hausdorff"}, \
default="min-hausdorff"
        Distance between bags, see :func:`~mlmi_sklearn.mil.bag_distance_matrix`.
    rank : int, default=1
        With ``"min-hausdorff"``, use the `rank`-th smallest distance; more than 1 makes
        it robust to single odd instances.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    bags_ : Bags
        The training bags of non-zero weight.
    distances_ : ndarray of shape (n_bags, n_bags)
        Distances between them, to 24 binary digits.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when the instances had names.

    See Also
    --------
    bag_distance_matrix : The distances.

    Notes
    -----
    Features must have comparable scales: put ``InstanceWise(StandardScaler())`` first.
    A bag of weight w votes and counts as w equal bags would. Between bags at the same
    distance, references are taken in the order of training, and citers count only
    bags that are strictly nearer. Distances are computed in float64 and compared by
    their first 24 binary digits (seven decimal ones), so that equal numbers get equal
    votes, whatever their type and layout in memory.

    References
    ----------
    Wang and Zucker, *Solving the multiple-instance problem: a lazy learning approach*,
    ICML 2000, section 3 (2 references and 4 citers are its choice for MUSK).

    Examples
    --------
    >>> from mlmi_sklearn import CitationKNN
    >>> from mlmi_sklearn.datasets import load_musk1
    >>> bags, y = load_musk1(return_X_y=True)
    >>> model = CitationKNN().fit(bags[:80], y[:80])
    >>> model.predict(bags[80:]).shape
    (12,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_references": [Interval(Integral, 1, None, closed="left")],
        "n_citers": [Interval(Integral, 0, None, closed="left")],
        "distance": [StrOptions(set(KINDS))],
        "rank": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_references: int = 2,
        n_citers: int = 4,
        *,
        distance: str = "min-hausdorff",
        rank: int = 1,
    ) -> None:
        self.n_references = n_references
        self.n_citers = n_citers
        self.distance = distance
        self.rank = rank

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CitationKNN:
        """Store the training bags and compute the distances between them.

        Parameters
        ----------
        X : Bags, list of arrays of shape (n_instances, n_features), 3-D or 2-D array
            Bags; see :func:`~mlmi_sklearn.check_bags`. Instances may be CSR.
        y : array-like of shape (n_bags,)
            Classes of bags.
        sample_weight : array-like of shape (n_bags,), default=None
            Non-negative weights of votes.

        Returns
        -------
        CitationKNN
            The fitted classifier.

        Raises
        ------
        BagError
            If X cannot be read as bags of vectors.
        ValueError
            If the data, a weight or a parameter is unusable; the message names it.
        """
        self._validate_params()
        with rollback(self):
            self._fit(read_vectors(self, X, reset=True), y, sample_weight)
        return self

    def _fit(self, bags: Bags, y: Any, sample_weight: Any) -> None:
        y = column_or_1d(read_targets(self, y, numeric=False), warn=True)
        with naming("X", "y"):
            check_consistent_length(bags, y)
        check_classes(y)
        weight = read_weight(sample_weight, len(bags))
        weight = np.ones(len(bags)) if weight is None else weight
        keep = np.flatnonzero(weight)
        if len(keep) < len(bags):
            bags = bags[keep].compact()
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._codes, self._weight = codes[keep], weight[keep]
        self.bags_ = bags
        self.distances_ = self._between(bags, None)

    def predict_proba(self, X: Any) -> Array:
        """Return the share of votes of each class.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags, n_classes)
            Rows sum to one; columns follow ``classes_``.
        """
        check_is_fitted(self)
        bags = read_vectors(self, X, reset=False)
        near = self._between(bags, self.bags_)
        power = self._references(near) + self._citers(near)
        one_hot = np.eye(len(self.classes_))[self._codes]
        votes = power @ one_hot
        return votes / votes.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Array:
        """Return the class with most votes.

        Parameters
        ----------
        X : Bags or other bags
            As in :meth:`fit`.

        Returns
        -------
        ndarray of shape (n_bags,)
            Classes; a tie goes to the one that comes first in ``classes_``.
        """
        votes = self.predict_proba(X)
        # Shares of equal votes may differ in the last digit.
        best = np.argmax(votes >= votes.max(axis=1, keepdims=True) - 1e-9, axis=1)
        return self.classes_[best]

    def _between(self, first: Bags, second: Bags | None) -> Array:
        """Return distances that tie where they should."""
        exact = distances_of(first, second, self.distance, self.rank)
        return _to_single_digits(exact)

    def _references(self, near: Array) -> Array:
        """Return the votes of training bags (columns) as references of bags (rows)."""
        order = np.argsort(near, axis=1, kind="stable")
        weight = self._weight[order]
        before = weight.cumsum(axis=1) - weight
        # A bag of weight w fills w of the places.
        counted = np.clip(self.n_references - before, 0, weight)
        votes = np.empty_like(counted)
        np.put_along_axis(votes, order, counted, axis=1)
        return votes

    def _citers(self, near: Array) -> Array:
        """Return the votes of training bags (columns) as citers of bags (rows)."""
        nearer = np.empty(near.shape)
        for citer, distances in enumerate(self.distances_):
            others = np.argsort(distances, kind="stable")
            others = others[others != citer]
            weight = np.r_[0.0, self._weight[others].cumsum()]
            place = np.searchsorted(distances[others], near[:, citer], side="left")
            nearer[:, citer] = weight[place]
        # A bag of weight w has w - 1 copies of itself at distance zero.
        copies = np.maximum(self._weight - 1, 0) * (near > 0)
        return (nearer + copies < self.n_citers) * self._weight

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
