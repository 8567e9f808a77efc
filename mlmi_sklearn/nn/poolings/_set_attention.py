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
_PAIRS_FOR_A_GROUP = 8192.0

# Joint queries, keys and values (b, M, 3 width), mask (b, M) -> (b, M, width).
Attend = Callable[[Tensor, Tensor | None], Tensor]


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
        self.parts, self.sorts = [segments], False
        if segments.is_even:
            return
        slack = _PAIRS_FOR_A_GROUP if power == 2 else _PAIRS_FOR_A_GROUP / 16
        sizes, device = segments.on_host, segments.lengths.device
        order, groups = group_by_size(sizes, power=power, slack=slack)
        if len(groups) == 1:
            return
        self.sorts = True
        moved = Segments(sizes[order], check=False)
        self.parts = [
            Segments.from_host(moved.lengths[a:b], device) for a, b, _ in groups
        ]
        starts = (sizes.cumsum(0) - sizes)[order]
        shift = moved.broadcast(starts - moved.offsets[:-1])
        rows = torch.arange(len(shift)) + shift
        self.rows, self.back = (
            places.to(device, non_blocking=True) for places in (rows, rows.argsort())
        )

    def arrange(self, values: Tensor) -> Tensor:
        """Sort instances by the size of their bag."""
        return values.index_select(0, self.rows) if self.sorts else values

    def restore(self, values: Tensor) -> Tensor:
        """Undo `arrange`."""
        return values.index_select(0, self.back) if self.sorts else values

    def attend(self, joint: Tensor, attend: Attend) -> Tensor:
        """Run an attention group by group over arranged instances (N, 3 width)."""
        out = []
        sizes = [part.n_values for part in self.parts]
        for part, rows in zip(self.parts, joint.split(sizes), strict=True):
            padded, mask = part.to_padded(rows)
            found = attend(padded, None if part.is_even else mask)
            out.append(part.from_padded(found))
        return torch.cat(out) if self.sorts else out[0]


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
        joint = self.project(self.norm(values))
        attend = self._full if self.points is None else self._induced
        values = values + self.drop(self.join(groups.attend(joint, attend)))
        return values + self.drop(self.feedforward(values))

    def _full(self, joint: Tensor, mask: Tensor | None) -> Tensor:
        """Each instance attends to each of its bag."""
        q, k, v = _by_head(joint, 3, self.heads)
        return _attention(q, k, v, mask)

    def _induced(self, joint: Tensor, mask: Tensor | None) -> Tensor:
        """Points attend to the instances, then the instances to the points."""
        q, k, v = _by_head(joint, 3, self.heads)
        points = self.points.expand(len(q), -1, -1)  # type: ignore[union-attr]
        (asked,) = _by_head(points, 1, self.heads)
        seen = points + _attention(asked, k, v, mask)
        k, v = _by_head(self.point_project(self.point_norm(seen)), 2, self.heads)
        return _attention(q, k, v, None)


def _by_head(joint: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """Split (b, L, parts * width) into so many parts (b, heads, L, width / heads)."""
    split = joint.reshape(*joint.shape[:2], parts, heads, -1)
    return split.permute(2, 0, 3, 1, 4).unbind()


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Scaled dot-product attention with `mask` (b, S) over keys: (b, L, width)."""
    seen = None
    if mask is not None:
        # What the kernels add to the products; they would make it of booleans as well.
        seen = q.new_zeros(mask.shape).masked_fill_(~mask, -torch.inf)[:, None, None]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    return out.transpose(1, 2).flatten(2)
