"""The alternating heuristics of mi-SVM and MI-SVM, for two classes.

Both fit a classifier to what they take for the labels of instances, look what it says
about the instances of positive bags, correct their belief and start again, until
nothing changes. mi-SVM believes in a label for each instance; MI-SVM in one witness
for each positive bag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .assumptions import ranks_in_bags

__all__ = ["BinaryBags", "Outcome", "alternate_labels", "alternate_witnesses"]

Array = NDArray[Any]
Fit = Callable[[Any, Array, Array], Any]
Score = Callable[[Any, Any], Array]


@dataclass(frozen=True)
class BinaryBags:
    """What the heuristics know.

    Parameters
    ----------
    values : ndarray or CSR matrix of shape (n_instances, n_features)
        Instances of all bags.
    lengths : ndarray of int of shape (n_bags,)
        Sizes of the bags.
    positive : ndarray of bool of shape (n_bags,)
        Labels of bags.
    weight : ndarray of shape (n_bags,)
        Positive weights.
    known : ndarray of int of shape (n_instances,) or None
        1 and 0 for instances known to be positive and negative, -1 for others.
    """

    values: Any
    lengths: Array
    positive: Array
    weight: Array
    known: Array | None = None

    def spread(self, per_bag: Array) -> Array:
        """Repeat one value a bag for its instances."""
        return np.repeat(per_bag, self.lengths)

    def with_knowledge(self, scores: Array) -> Array:
        """Raise scores of known positive instances above, sink negative ones below."""
        if self.known is None:
            return scores
        return np.select([self.known == 1, self.known == 0], [np.inf, -np.inf], scores)

    def impute(self, scores: Array, least: int = 1, most: int | None = None) -> Array:
        """Label instances by their scores, as far as the labels of bags allow.

        Parameters
        ----------
        scores : ndarray of shape (n_instances,)
            Above zero for positive.
        least, most : int
            Fewest and most positive instances of a positive bag.

        Returns
        -------
        ndarray of bool of shape (n_instances,)
            Negative in negative bags; known labels as they are.
        """
        scores = self.with_knowledge(scores)
        rank = ranks_in_bags(scores, self.lengths)
        labels = (scores > 0) | (rank < least)
        if most is not None:
            labels &= rank < most
        return self.settle(labels & self.spread(self.positive))

    def settle(self, labels: Array) -> Array:
        """Put known labels in place of assumed ones."""
        if self.known is None:
            return labels
        return np.where(self.known < 0, labels, self.known == 1)

    def witnesses(self, scores: Array) -> Array:
        """Return the position of the highest instance of each positive bag."""
        rank = ranks_in_bags(self.with_knowledge(scores), self.lengths)
        return np.flatnonzero((rank == 0) & self.spread(self.positive))


@dataclass(frozen=True)
class Outcome:
    """What an alternation ends with.

    Parameters
    ----------
    model : estimator
        The last classifier.
    n_iter : int
        Fits made.
    settled : bool
        Whether the belief stopped changing, or came back to an earlier one.
    """

    model: Any
    n_iter: int
    settled: bool


def alternate_labels(
    data: BinaryBags,
    fit: Fit,
    score: Score,
    max_iter: int,
    least: int = 1,
    most: int | None = None,
) -> Outcome:
    """Impute a label for each instance of positive bags (mi-SVM).

    Parameters
    ----------
    data : BinaryBags
        Training bags.
    fit : callable
        ``fit(values, labels, weight)`` returns a fitted classifier.
    score : callable
        ``score(model, values)`` returns scores of shape (n_instances,).
    max_iter : int
        Most fits.
    least, most : int
        Fewest and most positive instances of a positive bag.

    Returns
    -------
    Outcome
        The last classifier and how it came about.
    """
    weight = data.spread(data.weight)

    def learn(labels: Array) -> Any:
        return fit(data.values, labels, weight)

    def revise(model: Any) -> Array:
        return data.impute(score(model, data.values), least, most)

    return _alternate(data.settle(data.spread(data.positive)), learn, revise, max_iter)


def alternate_witnesses(
    data: BinaryBags, fit: Fit, score: Score, max_iter: int
) -> Outcome:
    """Choose one witness for each positive bag (MI-SVM), the mean of the bag at first.

    Parameters
    ----------
    data : BinaryBags
        Training bags.
    fit, score : callable
        As in :func:`alternate_labels`.
    max_iter : int
        Most fits.

    Returns
    -------
    Outcome
        The last classifier and how it came about.
    """
    weight = data.spread(data.weight)
    negative = ~data.spread(data.positive)
    if data.known is not None:
        negative = (negative | (data.known == 0)) & (data.known != 1)
    others, weight_of_others = data.values[negative], weight[negative]
    labels = np.repeat([False, True], [negative.sum(), data.positive.sum()])
    weights = np.concatenate([weight_of_others, data.weight[data.positive]])

    def learn(witnesses: Array) -> Any:
        chosen = data.values[witnesses] if len(witnesses) else _means(data)
        return fit(_stacked(others, chosen), labels, weights)

    def revise(model: Any) -> Array:
        return data.witnesses(score(model, data.values))

    return _alternate(np.empty(0, dtype=np.int64), learn, revise, max_iter)


def _alternate(
    belief: Array,
    learn: Callable[[Array], Any],
    revise: Callable[[Any], Array],
    max_iter: int,
) -> Outcome:
    """Learn from a belief and revise it, until it has been held before."""
    held = set()
    for n_iter in range(1, max_iter + 1):
        held.add(belief.tobytes())
        model = learn(belief)
        belief = revise(model)
        if belief.tobytes() in held:
            return Outcome(model, n_iter, True)
    return Outcome(model, max_iter, False)


def _means(data: BinaryBags) -> Any:
    """Return the mean of each positive bag, dense or CSR."""
    # Indices of 32 bits, since libsvm takes no others.
    bounds = np.append(0, np.cumsum(data.lengths)).astype(np.int32)
    columns = np.arange(bounds[-1], dtype=np.int32)
    each = data.spread(1.0 / data.lengths).astype(data.values.dtype)
    share = sparse.csr_array((each, columns, bounds))
    return (share @ data.values)[np.flatnonzero(data.positive)]


def _stacked(above: Any, below: Any) -> Any:
    if sparse.issparse(above):
        return sparse.vstack([above, below], format="csr")
    return np.vstack([above, below])
