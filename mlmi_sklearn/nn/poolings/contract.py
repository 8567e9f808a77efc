"""What a pooling is, and what it may offer beyond that, for authors of plugins.

Every pooling follows :class:`Pooling`. Each further protocol is an offer: models of
bags look for its methods and make use of them where they find them.

A pooling may say in ``uses`` what it has to know of the instances beside their
features. It is then passed by keyword to every method that takes ``values``, one row an
instance, on their device:

================  ==================================================================
Named in `uses`   Keyword
================  ==================================================================
"coords"          ``coords=`` tensor (N, C), of the type of the parameters: where the
                  instances are, such as x and y of a tile, all finite
================  ==================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor

from ..segments import Segments

__all__ = [
    "USES",
    "ContextPooling",
    "Criterion",
    "LossPooling",
    "Pooling",
    "ScoringPooling",
]

#: What can stand in ``uses``.
USES = frozenset({"coords"})

Criterion = Callable[[Tensor, Tensor], Tensor]
"""Maps raw scores (B, K) and encoded targets to one loss a bag (B,)."""


class Pooling(Protocol):
    """From the instances of a bag to the bag.

    Made by ``factory(in_features, **params)``. The result depends neither on the order
    of the instances in a bag nor on the other bags of the batch. If the pooling has
    ``set_progress(share)`` and pools scores, it is told before each step of training
    how much of it is done, 0 to 1. Where nobody asks for weights, its method
    ``pool_without_weights(values, segments)`` is called, if it has one; it returns the
    first result of the call alone.

    Attributes
    ----------
    out_features : int
        Width D' of the result.
    weighted_mean : bool
        Whether the result is the mean of `values` under the weights. Such a pooling
        always sees features, as pooling before or after an affine head is the same.
    uses : frozenset of str
        Optional: which keywords its methods take, out of :data:`USES`. On the class, or
        on the function that makes the module, since it is asked before there is one.
        Bags without them are an error before the pooling is called.
    """

    out_features: int
    weighted_mean: bool

    def __call__(
        self, values: Tensor, segments: Segments, **keywords: Any
    ) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are; a bag of one is legal.
        **keywords
            Those named in `uses`.

        Returns
        -------
        pooled : Tensor of shape (B, D')
            One row a bag.
        weights : Tensor of shape (N,)
            How much each instance had to do with it: non-negative, with sum 1 over
            each bag.
        """


class ContextPooling(Pooling, Protocol):
    """A pooling that represents each instance as its bag shows it.

    It always sees features. The head that scores ``pooled`` scores instances, too;
    a bag of one is represented as its instance. Where instances and pooled vectors are
    best computed together, ``pool_with_instances(values, segments)`` returns
    ``(instances, pooled, weights)``; it is used in training if it is there.
    """

    def instances(self, values: Tensor, segments: Segments) -> Tensor:
        """Return instances (N, D') in the context of their bags."""


class ScoringPooling(Pooling, Protocol):
    """A pooling with a head of its own, made by ``factory(..., n_outputs=K, ...)``.

    Where less work is needed than for `score`, two more methods are used if they are
    there: ``score_bags(values, segments)`` returns ``raw`` alone, and, of a
    `LossPooling`, ``score_with_loss(values, segments, target, criterion)`` returns
    ``(raw, auxiliary)`` of training in one pass.

    Attributes
    ----------
    owns_head : bool
        True. On the class, or on every instance.
    """

    owns_head: bool

    def score(
        self, values: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score bags and instances.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Features of instances.
        segments : Segments
            Where the bags are.

        Returns
        -------
        raw : Tensor of shape (B, K)
            Scores of bags.
        instances : Tensor of shape (N, K)
            Scores of instances: what each would score as a bag of one.
        weights : Tensor of shape (N,)
            As of every pooling.
        """


class LossPooling(Pooling, Protocol):
    """A pooling with a loss of its own, which is added to that of the bags.

    Attributes
    ----------
    auxiliary_weight : float
        Factor that the loss holds already; at 0 it is not asked for. Without the
        attribute it always is.
    """

    auxiliary_weight: float

    def auxiliary_loss(
        self, values: Tensor, segments: Segments, target: Tensor, criterion: Criterion
    ) -> Tensor:
        """Compute the loss.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            What the pooling pools.
        segments : Segments
            Where the bags are.
        target : Tensor of shape (B,) or (B, K)
            Class codes as int64 (with one output, 0 and 1), or floats: memberships of
            several labels, or the values of a regression. Rows may be placeholders
            whose loss is discarded.
        criterion : callable
            Maps ``(raw (B, K), target)`` to one loss a bag.

        Returns
        -------
        Tensor of shape (B,)
            One loss a bag.
        """
