"""From raw outputs of a generator to values, kind by kind.

A vector in model space is made of blocks: numbers without bounds, numbers between
bounds, and categories as probabilities. A category must be drawn, not predicted, or
rare ones get lost; :class:`OutputActivation` draws it differentiably. All randomness
of a row is in one row of standard normal numbers, which its caller provides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .._checks import check_choice, check_interval
from .gumbel import gumbel_softmax, share_shift

__all__ = ["Block", "OutputActivation"]

_ELEMENTWISE: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda raw: raw,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
_KINDS = (*_ELEMENTWISE, "softmax")


class Block(NamedTuple):
    """Adjacent columns of model space that belong together.

    Parameters
    ----------
    kind : {"linear", "sigmoid", "tanh", "softmax"}
        Numbers without bounds, in (0, 1), in (-1, 1), or probabilities of categories.
    start, stop : int
        First column, and the one after the last.
    gate : int, default=-1
        Column of a softmax block with which the values are multiplied, so that a value
        is 0 where there is none; -1 for none.

    Examples
    --------
    >>> Block("softmax", 0, 3).width
    3
    """

    kind: str
    start: int
    stop: int
    gate: int = -1

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.stop - self.start


class OutputActivation(nn.Module):
    r"""Values from raw outputs.

    Probabilities of a softmax block with raw outputs :math:`a` are a Gumbel softmax,

    .. math:: p = \mathrm{softmax}\left((a + g) / T\right), \quad
              g_k = -\log(-\log \Phi(\varepsilon_k)),

    with standard normal :math:`\varepsilon` and their distribution function
    :math:`\Phi`: the largest entry is k with probability :math:`\mathrm{softmax}(a)_k`
    exactly, and gradients flow.

    Parameters
    ----------
    blocks : iterable of Block
        All columns, each in one block.
    temperature : float, default=0.2
        T, greater than 0; the smaller, the nearer to zeros and ones.
    hard : bool, default=False
        Whether ``forward`` returns zeros and ones by default. Gradients are those of
        the probabilities (straight-through).

    Attributes
    ----------
    noise_features : int
        Normal numbers a row takes: the total width of the softmax blocks.
    width : int
        Number of columns.
    shift : Tensor of shape (width,)
        Added to raw outputs; 0 until ``match_shares`` is called.

    Raises
    ------
    ValueError
        If blocks overlap, leave a gap or have a wrong kind or gate, or the temperature
        is out of its range.

    References
    ----------
    Jang, Gu and Poole, *Categorical reparameterization with Gumbel-softmax*, ICLR
    2017, equation 2. Maddison, Mnih and Teh, *The concrete distribution*, ICLR 2017.

    Examples
    --------
    >>> activation = OutputActivation([Block("sigmoid", 0, 1), Block("softmax", 1, 4)])
    >>> activation.noise_features
    3
    >>> raw = torch.zeros(2, 4)
    >>> activation(raw)[0]
    tensor([0.5000, 0.3333, 0.3333, 0.3333])
    >>> noise = torch.tensor([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]])
    >>> activation(raw, noise, hard=True)[:, 1:]
    tensor([[0., 1., 0.],
            [1., 0., 0.]])
    """

    shift: Tensor
    order: Tensor
    gates: Tensor

    def __init__(
        self, blocks: Iterable[Block], temperature: float = 0.2, hard: bool = False
    ) -> None:
        super().__init__()
        self.blocks = _checked(blocks)
        self.temperature = check_interval(temperature, "temperature", closed="neither")
        self.hard = hard
        self.width = self.blocks[-1].stop if self.blocks else 0
        softmaxes = [block for block in self.blocks if block.kind == "softmax"]
        self.noise_features = sum(block.width for block in softmaxes)
        self._simple = {block.kind for block in self.blocks}
        plain = [(kind, _columns(self.blocks, kind)) for kind in _ELEMENTWISE]
        self._plain = [(kind, columns) for kind, columns in plain if columns]
        # Softmax blocks of one width are computed together: tables have dozens.
        self._widths = sorted({block.width for block in softmaxes})
        self._add_indices(softmaxes)
        self.register_buffer("shift", torch.zeros(self.width))

    def _add_indices(self, softmaxes: list[Block]) -> None:
        """Keep, as buffers, where the parts come from and where they go."""
        order: list[int] = []
        for kind, columns in self._plain:
            self._keep(f"columns_{kind}", columns)
            order += columns
        begins, begin = {}, 0
        for block in softmaxes:
            begins[block] = begin
            begin += block.width
        for width in self._widths:
            group = [block for block in softmaxes if block.width == width]
            columns = [c for block in group for c in range(block.start, block.stop)]
            noises = [begins[block] + k for block in group for k in range(width)]
            self._keep(f"columns_softmax_{width}", columns)
            self._keep(f"noises_{width}", noises)
            order += columns
        # A column without a gate is multiplied with the ones behind the last.
        gates = [
            block.gate if block.gate > -1 else self.width
            for block in self.blocks
            for _ in range(block.width)
        ]
        self._keep("order", torch.tensor(order, dtype=torch.long).argsort())
        self._keep("gates", gates)
        self._has_gates = any(block.gate > -1 for block in self.blocks)

    def _keep(self, name: str, index: Tensor | list[int]) -> None:
        self.register_buffer(
            name, torch.as_tensor(index, dtype=torch.long), persistent=False
        )

    def forward(
        self, raw: Tensor, noise: Tensor | None = None, hard: bool | None = None
    ) -> Tensor:
        """Return values.

        Parameters
        ----------
        raw : Tensor of shape (B, width)
            Outputs of a generator; images (B, C, ...) where all blocks are of one kind
            other than softmax.
        noise : Tensor of shape (B, noise_features), optional
            Standard normal numbers. Without it, probabilities are the softmax of the
            raw outputs.
        hard : bool, optional
            Whether categories come as zeros and ones; ``self.hard`` if None.

        Returns
        -------
        Tensor of the shape of ``raw``
            Values.

        Raises
        ------
        ValueError
            If the width of ``raw`` or ``noise`` is wrong.
        """
        if len(self._simple) == 1 and "softmax" not in self._simple:
            return _ELEMENTWISE[next(iter(self._simple))](raw)
        self._check(raw, noise)
        hard = self.hard if hard is None else hard
        parts = [
            _ELEMENTWISE[kind](_pick(raw, getattr(self, f"columns_{kind}")))
            for kind, _ in self._plain
        ]
        parts += [self._softmax(raw, noise, width, hard) for width in self._widths]
        values = _pick(torch.cat(parts, 1), self.order) if parts else raw
        if not self._has_gates:
            return values
        open_gate = torch.ones_like(values[:, :1])
        return values * _pick(torch.cat((values, open_gate), 1), self.gates)

    @torch.no_grad()
    def match_shares(self, raw: Tensor, shares: Tensor) -> OutputActivation:
        r"""Shift raw outputs so that each category is drawn as often as it should.

        A trained generator misses shares of categories by a few per cent. What is
        added to the scores of a block solves

        .. math:: \frac{1}{n} \sum_i \mathrm{softmax}(a_i + s)_k = \pi_k

        by iterative scaling; which categories go with which other values is hardly
        touched.

        Parameters
        ----------
        raw : Tensor of shape (n, width)
            Raw outputs of the generator, for conditions as they occur in the data.
        shares : Tensor of shape (width,)
            How often each category occurs in the data, :math:`\pi`: the mean of the
            encoded data. Other columns are ignored.

        Returns
        -------
        OutputActivation
            Itself.

        Examples
        --------
        >>> activation = OutputActivation([Block("softmax", 0, 2)])
        >>> raw = torch.tensor([[0.0, 0.0], [0.0, 3.0]])
        >>> shares = torch.tensor([0.9, 0.1])
        >>> activation.match_shares(raw, shares)(raw).mean(0)
        tensor([0.9000, 0.1000])
        """
        self._check(raw, None)
        for block in self.blocks:
            if block.kind == "softmax":
                own = slice(block.start, block.stop)
                found = share_shift(raw[:, own].double(), shares[own].double())
                self.shift[own] = found.to(self.shift.dtype)
        return self

    def _check(self, raw: Tensor, noise: Tensor | None) -> None:
        if raw.ndim != 2 or raw.shape[1] != self.width:
            raise ValueError(
                f"raw must have shape (B, {self.width}), as the blocks say, got "
                f"{tuple(raw.shape)}."
            )
        wanted = (len(raw), self.noise_features)
        if noise is not None and self.noise_features and noise.shape != wanted:
            raise ValueError(
                f"noise must have shape {wanted}, one number for each category, got "
                f"{tuple(noise.shape)}."
            )

    def _softmax(
        self, raw: Tensor, noise: Tensor | None, width: int, hard: bool
    ) -> Tensor:
        """Return all softmax blocks of a width, side by side."""
        columns = getattr(self, f"columns_softmax_{width}")
        logits = _pick(raw, columns) + self.shift[columns].to(raw.dtype)
        if noise is not None:
            noise = _pick(noise, getattr(self, f"noises_{width}"))
            noise = noise.unflatten(1, (-1, width))
        logits = logits.unflatten(1, (-1, width))
        return gumbel_softmax(logits, noise, self.temperature, hard).flatten(1)

    def extra_repr(self) -> str:
        """Return what ``repr`` shows in the brackets."""
        counts = {kind: sum(b.kind == kind for b in self.blocks) for kind in _KINDS}
        held = [f"{count} {kind}" for kind, count in counts.items() if count]
        return f"{self.width} columns in blocks: {', '.join(held) or 'none'}"


def _pick(values: Tensor, columns: Tensor) -> Tensor:
    # Several times faster than values[:, columns], whose gradient sorts.
    return values.index_select(1, columns)


def _columns(blocks: tuple[Block, ...], kind: str) -> list[int]:
    return [c for b in blocks if b.kind == kind for c in range(b.start, b.stop)]


def _checked(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """Return blocks in order after a check that they cover all columns once."""
    ordered = sorted((Block(*block) for block in blocks), key=lambda block: block.start)
    probabilities = {
        column
        for block in ordered
        if block.kind == "softmax"
        for column in range(block.start, block.stop)
    }
    at = 0
    for block in ordered:
        check_choice(block.kind, "kind of a block", _KINDS)
        if block.start != at or block.stop <= at:
            raise ValueError(
                f"blocks must cover the columns from 0 one after the other, got "
                f"{block} where one from column {at} was due."
            )
        at = block.stop
        if block.gate != -1 and (
            block.gate not in probabilities or block.kind == "softmax"
        ):
            raise ValueError(
                f"gate of {block} must be a column of a softmax block, and gate "
                "numbers only."
            )
    return tuple(ordered)
