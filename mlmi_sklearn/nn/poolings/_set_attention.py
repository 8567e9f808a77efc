"""Self-attention within bags of different size.

Everything that treats instances one by one runs on the flat batch. Only the products
of queries and keys need bags as rows of a matrix; for those, bags of similar size are
padded to a common one and the padding is masked (:class:`BagGroups`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .._segment_order import group_by_size
from ..segments import Segments

__all__ = ["AttentionBlock", "BagGroups"]

# Pairs of instances that can be attended to in the time that one more group costs.
_PAIRS_FOR_A_GROUP = 16384.0

Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


class BagGroups:
    """Bags of a batch, sorted by size and cut into groups of similar size.

    Parameters
    ----------
    segments : Segments
        The bags.
    power : int
        1 if the attention costs as much as a bag has instances, 2 for their square.
    """

    def __init__(self, segments: Segments, power: int) -> None:
        slack = _PAIRS_FOR_A_GROUP if power == 2 else _PAIRS_FOR_A_GROUP / 16
        order, groups = group_by_size(segments.lengths, power=power, slack=slack)
        self.parts = [segments]
        self.sorts = len(groups) > 1
        if self.sorts:
            moved = Segments(segments.lengths[order], check=False)
            self.parts = [
                Segments(moved.lengths[a:b], check=False) for a, b, _ in groups
            ]
            shift = moved.broadcast(segments.offsets[:-1][order] - moved.offsets[:-1])
            self.rows = torch.arange(len(shift), device=shift.device) + shift
            self.back = self.rows.argsort()

    def arrange(self, values: Tensor) -> Tensor:
        """Sort instances by the size of their bag."""
        return values.index_select(0, self.rows) if self.sorts else values

    def restore(self, values: Tensor) -> Tensor:
        """Undo `arrange`."""
        return values.index_select(0, self.back) if self.sorts else values

    def attend(self, q: Tensor, k: Tensor, v: Tensor, attend: Attend) -> Tensor:
        """Run an attention group by group over arranged instances (N, width)."""
        # Side by side, so that one gather serves all three.
        joint = torch.cat((q, k, v), 1)
        out = []
        for part, rows in zip(self.parts, self._split(joint), strict=True):
            padded, mask = part.to_padded(rows)
            q, k, v = padded.chunk(3, 2)
            found = attend(q, k, v, None if part.is_even else mask)
            out.append(part.from_padded(found))
        return torch.cat(out) if self.sorts else out[0]

    def _split(self, values: Tensor) -> tuple[Tensor, ...]:
        return values.split([part.n_values for part in self.parts])


class AttentionBlock(nn.Module):
    """Layer of a transformer that normalises first, over the instances of bags.

    Parameters
    ----------
    width : int
        Width of the instances; a multiple of `heads`.
    heads : int
        Attention heads.
    hidden : int
        Hidden units after the attention.
    dropout : float
        Rate at which units are dropped after attention and after the hidden layer.
    n_inducing : int or None
        None: each instance attends to each. A number: each attends to so many
        learned points that have attended to all, which costs a time linear in the bag.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        n_inducing: int | None,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.points: nn.Parameter | None = None
        if n_inducing is not None:
            self.points = nn.Parameter(torch.empty(n_inducing, width))
            nn.init.xavier_uniform_(self.points)
            self.point_norm = nn.LayerNorm(width)
            self.point_project = nn.Linear(width, 2 * width)
        self.feedforward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, width),
        )
        self.drop = nn.Dropout(dropout)

    def forward(self, values: Tensor, groups: BagGroups) -> Tensor:
        """Return instances (N, width) after the layer, arranged as they came."""
        q, k, v = self.project(self.norm(values)).chunk(3, 1)
        attend = self._full if self.points is None else self._induced
        values = values + self.drop(self.join(groups.attend(q, k, v, attend)))
        return values + self.drop(self.feedforward(values))

    def _full(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Each instance attends to each of its bag: (b, M, width) -> the same."""
        return _attention(q, k, v, self.heads, mask)

    def _induced(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """Points attend to the instances, then the instances to the points."""
        points = self.points.expand(len(q), -1, -1)  # type: ignore[union-attr]
        seen = _attention(points, k, v, self.heads, mask)
        keys, found = self.point_project(self.point_norm(points + seen)).chunk(2, 2)
        return _attention(q, keys, found, self.heads, None)


def _attention(
    q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None
) -> Tensor:
    """Scaled dot-product attention (b, L, width) with `mask` (b, S) over the keys."""
    q, k, v = (t.unflatten(2, (heads, -1)).transpose(1, 2) for t in (q, k, v))
    seen = None if mask is None else mask[:, None, None, :]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    return out.transpose(1, 2).flatten(2)
