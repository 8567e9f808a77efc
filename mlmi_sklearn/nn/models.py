"""Whole models put together from parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from .segments import Segments

__all__ = ["BagPredictor", "InputScale", "Predictor", "Ragged", "TrainingPass"]


# Elements of input, 64 MB of float32, of which no copy is made where it can be helped.
_LARGE = 2**24


class Ragged(Protocol):
    """A batch of bags: all their instances, and where each bag begins."""

    values: Tensor
    fields: Mapping[str, Tensor]  # what the pooling `uses`, one row an instance

    @property
    def segments(self) -> Segments:
        """The bag structure."""


class Predictor(nn.Module):
    """A backbone followed by a linear head.

    Parameters
    ----------
    backbone : nn.Module
        Maps a batch to (B, out_features).
    n_outputs : int
        Columns of the raw output.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> model = Predictor(MLP((4,)), n_outputs=3)
    >>> model(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, backbone: nn.Module, n_outputs: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = _head(backbone.out_features, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return raw scores of shape (B, n_outputs)."""
        return self.head(self.backbone(x))


class InputScale(nn.Module):
    """A fixed affine map of the inputs, ``factor * x + offset``.

    Parameters
    ----------
    shape : tuple of int
        Of the offset: (n_features,), or (n_channels, 1, ...) for images.
    factor_shape : tuple of int, default=()
        Of the factor: one for all inputs, or (n_features,).

    Attributes
    ----------
    offset, factor : Tensor
        Buffers, 0 and 1 at first.

    Examples
    --------
    >>> scale = InputScale((2,))
    >>> _ = scale.factor.fill_(0.5), scale.offset.fill_(-1)
    >>> scale(torch.tensor([[2., 4.]]))
    tensor([[0., 1.]])
    """

    offset: Tensor
    factor: Tensor

    def __init__(
        self, shape: tuple[int, ...], factor_shape: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.register_buffer("offset", torch.zeros(shape))
        self.register_buffer("factor", torch.ones(factor_shape))

    @property
    def parts(self) -> tuple[Tensor, Tensor]:
        """Factor and offset."""
        return self.factor, self.offset

    def forward(self, x: Tensor) -> Tensor:
        """Return the inputs (N, ...) on the scale of the training data."""
        return torch.addcmul(self.offset, x, self.factor)


class TrainingPass(NamedTuple):
    """What one forward pass offers to a loss.

    Parameters
    ----------
    raw : Tensor of shape (B, K)
        Scores of bags.
    instances : Tensor of shape (N, K) or None
        Scores of instances, if they were asked for.
    auxiliary : Tensor of shape (B,) or None
        Loss of the pooling itself, weighted already; None if it has none.
    """

    raw: Tensor
    instances: Tensor | None
    auxiliary: Tensor | None


class BagPredictor(nn.Module):
    """A backbone for instances, a pooling and a linear head for bags.

    At level ``"instance"`` the head H scores every instance and the pooling P joins
    the scores, P_j H(B(x_j)); at level ``"embedding"`` the pooling joins features
    before the head, H(P_j B(x_j)). For a pooling that is a weighted mean the two are
    the same function, as H is affine and the weights sum to one; it is computed in
    the second way, so that attention sees features and not scores. So it is for a
    pooling that sees instances in the context of their bag (it has ``instances``).
    A pooling with ``owns_head = True`` scores bags and instances itself, whatever the
    level. What a pooling names in ``uses`` it is given by keyword, from the fields of
    the bags; :mod:`~mlmi_sklearn.nn.poolings` describes what poolings may offer.

    Parameters
    ----------
    backbone : nn.Module
        Maps instances (N, ...) to (N, out_features).
    make_pooling : callable
        Builds the pooling for a number of columns. If what it built owns its head, it
        is called again with that number and ``n_outputs=``.
    n_outputs : int
        Columns of the raw output.
    level : {"instance", "embedding"}
        What is pooled.
    scale : InputScale, optional
        What the instances go through first.

    Attributes
    ----------
    out_features : int
        Width of the embedding of a bag.
    pools_scores, owns_head : bool
        Whether the pooling joins scores of the head, or replaces the head.
    uses : frozenset of str
        Fields of the bags that the pooling is given.
    has_auxiliary_loss : bool
        Whether :meth:`training_pass` returns a loss of the pooling.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from mlmi_sklearn.nn.backbones import MLP
    >>> from mlmi_sklearn.nn.poolings import MaxPooling
    >>> model = BagPredictor(MLP((4,)), MaxPooling, n_outputs=1, level="instance")
    >>> bags = SimpleNamespace(values=torch.randn(3, 4), segments=Segments([2, 1]))
    >>> scores = model.instance_scores(bags)
    >>> torch.equal(model(bags)[0], scores[:2].amax(0))
    True
    """

    head: Any  # a linear layer; None where the pooling owns the head

    def __init__(
        self,
        backbone: nn.Module,
        make_pooling: Callable[..., Any],
        n_outputs: int,
        level: str,
        scale: InputScale | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        width = int(backbone.out_features)  # type: ignore[arg-type]
        pooling = make_pooling(width)
        self.owns_head = bool(getattr(pooling, "owns_head", False))
        sees_features = (
            self.owns_head or pooling.weighted_mean or hasattr(pooling, "instances")
        )
        self.pools_scores = level == "instance" and not sees_features
        if self.owns_head:
            pooling = make_pooling(width, n_outputs=n_outputs)
        elif self.pools_scores:
            pooling = make_pooling(n_outputs)
        self.backbone = backbone
        self.pooling = pooling
        self.uses = frozenset(getattr(pooling, "uses", ()))
        self.out_features = width if self.pools_scores else int(pooling.out_features)
        self.head = None if self.owns_head else _head(self.out_features, n_outputs)

    @property
    def has_auxiliary_loss(self) -> bool:
        """Whether the pooling has a loss of its own, of a weight above zero."""
        weight = getattr(self.pooling, "auxiliary_weight", 1.0)
        return hasattr(self.pooling, "auxiliary_loss") and weight > 0

    def set_progress(self, share: float) -> None:
        """Tell a pooling of scores how much of the training is done, from 0 to 1.

        A pooling of features is not told: :class:`~.poolings.MaxPooling` gains nothing
        from a smooth beginning there.
        """
        if self.pools_scores and hasattr(self.pooling, "set_progress"):
            self.pooling.set_progress(share)

    def forward(self, bags: Ragged) -> Tensor:
        """Return raw scores of bags, of shape (B, n_outputs)."""
        features, beside = self._features(bags), self._beside(bags)
        if self.pools_scores:
            return self._pooled(self.head(features), bags.segments, beside)
        if self.head is None:
            return self._score_bags(features, bags.segments, beside)
        return self.head(self._pooled(features, bags.segments, beside))

    def training_pass(
        self,
        bags: Ragged,
        target: Tensor,
        criterion: Callable[[Tensor, Tensor], Tensor],
        *,
        instances: bool,
    ) -> TrainingPass:
        """Compute in one pass all that a loss may be made of.

        Parameters
        ----------
        bags : Ragged
            A batch of bags.
        target : Tensor of shape (B,) or (B, n_outputs)
            Encoded targets of bags: int64 codes, or memberships or values as floats.
            Rows may be placeholders, as long as they are valid codes.
        criterion : callable
            Maps ``(raw, target)`` to one loss a bag.
        instances : bool
            Whether scores of instances are needed.

        Returns
        -------
        TrainingPass
            Scores of bags, scores of instances and the loss of the pooling.
        """
        features, segments = self._features(bags), bags.segments
        beside = self._beside(bags)
        scores: Tensor | None = None
        with_loss = getattr(self.pooling, "score_with_loss", None)
        if with_loss is not None and not instances and self.has_auxiliary_loss:
            found = with_loss(features, segments, target, criterion, **beside)
            return TrainingPass(found[0], None, found[1])
        if self.pools_scores:
            scores = self.head(features)
            raw = self._pooled(scores, segments, beside)
        elif self.head is None and instances:
            raw, scores, _ = self.pooling.score(features, segments, **beside)
        elif self.head is None:
            raw = self._score_bags(features, segments, beside)
        else:
            pooled, scores = self._pool(features, segments, instances, beside)
            raw = self.head(pooled)
        auxiliary = None
        if self.has_auxiliary_loss:
            values = scores if self.pools_scores else features
            auxiliary = self.pooling.auxiliary_loss(
                values, segments, target, criterion, **beside
            )
        return TrainingPass(raw, scores if instances else None, auxiliary)

    def instance_scores(self, bags: Ragged) -> Tensor:
        """Return raw scores of instances, of shape (N, n_outputs).

        Each is scored as a bag of one, or in the context of its bag if the pooling
        knows how.
        """
        beside = self._beside(bags)
        return self._score_instances(self._features(bags), bags.segments, beside)

    def attend(self, bags: Ragged) -> Tensor:
        """Return the weight (N,) of each instance in its bag; they sum to one."""
        features = self._features(bags)
        values = self.head(features) if self.pools_scores else features
        return self.pooling(values, bags.segments, **self._beside(bags))[1]

    def embed(self, bags: Ragged) -> Tensor:
        """Return embeddings of bags, of shape (B, out_features)."""
        features, beside = self._features(bags), self._beside(bags)
        if not self.pools_scores:
            return self._pooled(features, bags.segments, beside)
        weights = self.pooling(self.head(features), bags.segments, **beside)[1]
        return bags.segments.sum(weights[:, None] * features)

    def _beside(self, bags: Ragged) -> dict[str, Tensor]:
        """Return what the pooling is told of instances beside their features."""
        return {name: bags.fields[name] for name in sorted(self.uses)}

    def _score_bags(
        self, features: Tensor, segments: Segments, beside: dict[str, Tensor]
    ) -> Tensor:
        """Let a pooling with a head score bags, and nothing else if it knows how."""
        if hasattr(self.pooling, "score_bags"):
            return self.pooling.score_bags(features, segments, **beside)
        return self.pooling.score(features, segments, **beside)[0]

    def _pool(
        self,
        features: Tensor,
        segments: Segments,
        instances: bool,
        beside: dict[str, Tensor],
    ) -> tuple[Tensor, Tensor | None]:
        """Return embeddings of bags and, if they are asked for, scores of instances."""
        if instances and hasattr(self.pooling, "pool_with_instances"):
            found = self.pooling.pool_with_instances(features, segments, **beside)
            return found[1], self.head(found[0])
        scores = None
        if instances:
            scores = self._score_instances(features, segments, beside)
        return self._pooled(features, segments, beside), scores

    def _pooled(
        self, values: Tensor, segments: Segments, beside: dict[str, Tensor]
    ) -> Tensor:
        """Pool where nobody asks for the weights of instances."""
        if hasattr(self.pooling, "pool_without_weights"):
            return self.pooling.pool_without_weights(values, segments, **beside)
        return self.pooling(values, segments, **beside)[0]

    def _features(self, bags: Ragged) -> Tensor:
        """Return features (N, D) of instances."""
        values = bags.values
        if values.numel() >= _LARGE and self._folds_scale():
            scale = (None, None) if self.scale is None else self.scale.parts
            return self.backbone.forward_affine(values, *scale)  # type: ignore[operator]
        return self.backbone(values if self.scale is None else self.scale(values))

    def _folds_scale(self) -> bool:
        """Whether the backbone can do without a scaled copy of its input."""
        able = hasattr(self.backbone, "forward_affine")
        return able and len(self.backbone) > 0  # type: ignore[arg-type]

    def _score_instances(
        self, features: Tensor, segments: Segments, beside: dict[str, Tensor]
    ) -> Tensor:
        if self.pools_scores:
            return self.head(features)
        if self.head is None:
            return self.pooling.score(features, segments, **beside)[1]
        if hasattr(self.pooling, "instances"):
            return self.head(self.pooling.instances(features, segments, **beside))
        ones = torch.ones(len(features), dtype=torch.int64)
        alone = Segments.from_host(ones, features.device)
        return self.head(self.pooling(features, alone, **beside)[0])


def _head(width: Any, n_outputs: int) -> nn.Linear:
    return nn.Linear(int(width), n_outputs)
