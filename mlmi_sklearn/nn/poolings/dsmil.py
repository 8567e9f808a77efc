"""Two streams: the critical instance, and attention to what resembles it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .._checks import check_interval, check_positive_int
from .._segment_ops import segment_broadcast
from ..functional import tanh
from ..segments import Segments
from .contract import Criterion

__all__ = ["DSMILPooling"]

# Up to so many pairs of bag and output, a matrix of all their instances is faster.
_FEW_ROWS = 24


class DSMILPooling(nn.Module):
    r"""Average the score of the critical instance with that of the bag around it.

    For each output c, the first stream scores instances and finds the critical one,

    .. math:: s_{jc} = w_c^\top h_j + \beta_c, \qquad m_c = \arg\max_j s_{jc};

    the second weighs instances by their likeness to it and scores the weighted means,

    .. math::

        a_{jc} = \operatorname{softmax}_j \langle q_j, q_{m_c} \rangle / \sqrt{d},
        \qquad b_c = \sum_j a_{jc} v_j, \qquad t_k = \sum_c W_{kc} b_c + \gamma_k,

    where the queries q come from a small net and :math:`v_j` is :math:`h_j` or a
    projection of it. The bag scores :math:`(s_{m_k k} + t_k) / 2`. The loss of
    the first stream alone is added to that of the bag.

    Parameters
    ----------
    in_features : int
        Width of the values.
    n_outputs : int, default=1
        Scores of a bag; an estimator sets it to what its targets need.
    hidden : int, default=128
        Width d of the queries q.
    nonlinear : bool, default=True
        Whether queries are ``tanh(Q2 relu(Q1 h))``, or linear in h.
    project : bool, default=False
        Whether v is ``relu(V h)``, or h itself.
    dropout : float, default=0.0
        Rate in [0, 1) at which features are dropped before that projection.
    auxiliary_weight : float, default=1.0
        Weight of the loss of the first stream, beside that of the bag. The authors
        train on the mean of both, which is 1 here.

    Attributes
    ----------
    out_features : int
        Width of the result, equal to `in_features`.
    weighted_mean : bool
        Whether v is h itself.
    owns_head : bool
        True: bags and instances are scored here.

    Notes
    -----
    The result is the mean of :math:`b_c` over outputs, the weights that of a. The
    scores pass through means of features, so the bag can score below its best
    instance: this is no guarantee of the standard assumption. The score of an
    instance is that of a bag of one.

    References
    ----------
    Li, Li and Eliceiri, *Dual-stream multiple instance learning network for whole
    slide image classification with self-supervised contrastive learning*, CVPR 2021,
    equations 2 to 7. The scaling by :math:`\sqrt{d}` is in the authors' code only.

    Examples
    --------
    >>> pool = DSMILPooling(8, n_outputs=3)
    >>> raw, instances, weights = pool.score(torch.randn(5, 8), Segments([3, 2]))
    >>> raw.shape, instances.shape, weights.shape
    (torch.Size([2, 3]), torch.Size([5, 3]), torch.Size([5]))
    """

    owns_head = True

    def __init__(
        self,
        in_features: int,
        n_outputs: int = 1,
        hidden: int = 128,
        nonlinear: bool = True,
        project: bool = False,
        dropout: float = 0.0,
        auxiliary_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.out_features = check_positive_int(in_features, "in_features")
        self.n_outputs = check_positive_int(n_outputs, "n_outputs")
        hidden = check_positive_int(hidden, "hidden")
        rate = check_interval(dropout, "dropout", 0, 1, closed="left")
        self.auxiliary_weight = check_interval(auxiliary_weight, "auxiliary_weight")
        self.first = nn.Linear(in_features, n_outputs)
        self.reduce = nn.Linear(in_features, hidden)
        self.query = nn.Linear(hidden, hidden) if nonlinear else None
        self.drop = nn.Dropout(rate)
        self.value = nn.Linear(in_features, in_features) if project else None
        self.weighted_mean = not project
        # From n_outputs vectors to n_outputs scores.
        self.second = nn.Linear(n_outputs * in_features, n_outputs)

    def forward(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Pool the values of each bag.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        pooled : Tensor of shape (B, D)
            Means of the second stream, averaged over outputs.
        weights : Tensor of shape (N,)
            Likeness to the critical instances, averaged over outputs.
        """
        projected = self._projected(values)
        _, vectors, weights = self._streams(values, projected, segments)
        vectors = vectors.unflatten(1, (self.n_outputs, -1))
        return vectors.mean(1), weights().mean(1)

    def score(
        self, values: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score bags and instances.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        raw : Tensor of shape (B, K)
            Scores of bags.
        instances : Tensor of shape (N, K)
            Scores of instances, each as a bag of one.
        weights : Tensor of shape (N,)
            As in :meth:`forward`.
        """
        projected = self._projected(values)
        best, vectors, weights = self._streams(values, projected, segments)
        # A bag of one fills all columns with its only instance.
        alone = self.second.weight.unflatten(1, (self.n_outputs, -1)).sum(1)
        alone = nn.functional.linear(projected, alone, self.second.bias)
        instances = (self.first(values) + alone) / 2
        return (best + self.second(vectors)) / 2, instances, weights().mean(1)

    def score_bags(self, values: Tensor, segments: Segments) -> Tensor:
        """Score bags alone.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.

        Returns
        -------
        Tensor of shape (B, K)
            Scores of bags.
        """
        return self._score_both(values, segments)[0]

    def score_with_loss(
        self, values: Tensor, segments: Segments, target: Tensor, criterion: Criterion
    ) -> tuple[Tensor, Tensor]:
        """Score bags and compute the auxiliary loss from the same first stream.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.
        target : Tensor of shape (B,) or (B, K)
            As in :meth:`auxiliary_loss`.
        criterion : callable
            As in :meth:`auxiliary_loss`.

        Returns
        -------
        raw : Tensor of shape (B, K)
            Scores of bags.
        auxiliary : Tensor of shape (B,)
            As of :meth:`auxiliary_loss`.
        """
        raw, best = self._score_both(values, segments)
        return raw, self._weigh(criterion(best, target))

    def auxiliary_loss(
        self, values: Tensor, segments: Segments, target: Tensor, criterion: Criterion
    ) -> Tensor:
        """Compute the loss of the critical instances.

        Parameters
        ----------
        values : Tensor of shape (N, D)
            Instances, bag after bag.
        segments : Segments
            Where the bags are.
        target : Tensor of shape (B,) or (B, K)
            Encoded targets.
        criterion : callable
            Maps ``(raw, target)`` to one loss a bag.

        Returns
        -------
        Tensor of shape (B,)
            One loss a bag, times `auxiliary_weight`.
        """
        best = segments.max(self.first(values))
        return self._weigh(criterion(best, target))

    def _weigh(self, losses: Tensor) -> Tensor:
        weight = self.auxiliary_weight
        return losses if weight == 1 else weight * losses

    def _projected(self, values: Tensor) -> Tensor:
        if self.value is None:
            return values
        return torch.relu(self.value(self.drop(values)))

    def _score_both(self, values: Tensor, segments: Segments) -> tuple[Tensor, Tensor]:
        """Return the scores of bags and of their critical instances."""
        best, vectors, _ = self._streams(values, self._projected(values), segments)
        return (best + self.second(vectors)) * 0.5, best

    def _streams(
        self, values: Tensor, projected: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Callable[[], Tensor]]:
        """Run both streams: best scores (B, K), vectors (B, K D), weights (N, K).

        The weights come as a function, because training does not need them.
        """
        few = segments.n_segments * self.n_outputs <= _FEW_ROWS
        few = few and not segments.is_long
        streams = self._by_matrix if few else self._by_segment
        return streams(values, projected, segments)

    def _by_matrix(
        self, values: Tensor, projected: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Callable[[], Tensor]]:
        """With a row of a matrix for each bag and output: few, large operations."""
        shape = (self.n_outputs, segments.n_segments)
        scores, mask = self.first(values).T, None
        if shape[1] > 1:
            mask = segments.outside.to(values.dtype)
            if shape[0] > 1:
                mask = mask.repeat(shape[0], 1)
                scores = scores.repeat_interleave(shape[1], 0)
            scores = scores + mask
        best, critical = scores.max(1)
        asked, keys = self._asked(values, critical)
        likeness = asked @ keys.T if mask is None else mask.addmm(asked, keys.T)
        weights = likeness.softmax(1)
        vectors = (weights @ projected).reshape(*shape, -1).transpose(0, 1)
        return (
            best.reshape(shape).T,
            vectors.flatten(1),
            lambda: weights.reshape(*shape, -1).sum(1).T,
        )

    def _by_segment(
        self, values: Tensor, projected: Tensor, segments: Segments
    ) -> tuple[Tensor, Tensor, Callable[[], Tensor]]:
        """With operations on segments, whose cost does not grow with their number."""
        scores = self.first(values)
        critical = segments.argmax(scores)
        asked, keys = self._asked(values, critical.T.reshape(-1))
        weights, vectors = [], []
        # One output at a time: a copy of all (N, K, hidden) would be large.
        for rows in asked.split(segments.n_segments):
            likeness = (keys * segments.broadcast(rows)).sum(1)
            weights.append(segments.softmax(likeness))
            vectors.append(segments.weighted_sum(projected, weights[-1]))
        joined = torch.cat(vectors, 1)
        return scores.gather(0, critical), joined, lambda: torch.stack(weights, 1)

    def _asked(self, values: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return what likeness to the instances in `rows` is a product of.

        The two factors, (len(rows), W) and (N, W), give all but a constant of each row,
        which the softmax does not see: linear queries are not needed of all instances,
        since <Q h + c, q> = <h, Q^T q> + <c, q>.
        """
        scale = self.reduce.out_features**-0.5
        if self.query is None:
            critical = self.reduce(segment_broadcast(values, rows))
            return (critical * scale) @ self.reduce.weight, values
        queries = tanh(self.query(torch.relu(self.reduce(values))))
        return segment_broadcast(queries, rows) * scale, queries
