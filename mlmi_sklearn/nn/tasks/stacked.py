"""One forward pass for all tasks, each with weights of its own.

Four ways compute the same: written out for plain layers of vectors, as one product of
batched matrices a layer, which costs least; written out for chains of convolutions, as
convolutions in groups (:mod:`.maps`); by ``torch.func.vmap`` for other modules; and
task by task for what vmap cannot batch, such as recurrent layers. The first that works,
and agrees with the last on a small probe, is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from .chains import POINTWISE, linear, plain_chain
from .maps import plan_maps
from .norms import TaskNorm, task_batch

__all__ = ["StackedForward"]

Params = Mapping[str, Tensor]

_AGREE = 1e-4


class StackedForward:
    """Features of T tasks under stacked weights.

    Parameters
    ----------
    module : nn.Module
        Maps a batch (N, ...) to features (N, D). Its own weights are never used.
    engine : {"auto", "stack", "maps", "vmap", "loop"}, default="auto"
        How. ``"auto"`` decides at the first call.

    Attributes
    ----------
    engine : str
        The way taken; "auto" before the first call.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    >>> forward = StackedForward(net)
    >>> weights = {k: v.expand(5, *v.shape) for k, v in net.named_parameters()}
    >>> forward(weights, torch.zeros(5, 2, 3)).shape, forward.engine
    (torch.Size([5, 2, 4]), 'stack')
    """

    def __init__(self, module: nn.Module, engine: str = "auto") -> None:
        self.module = module
        self.engine = engine
        self._norms = [m for m in module.modules() if isinstance(m, TaskNorm)]
        self._layers = _plain_layers(module)
        self._plan = plan_maps(module) if self._layers is None else None
        self._may_attend = any(_may_attend(m) for m in module.modules())

    def __call__(
        self, weights: Params, x: Tensor, rows: Tensor | None = None, step: int = 0
    ) -> Tensor:
        """Return features.

        Parameters
        ----------
        weights : mapping of str to Tensor of shape (T, ...)
            Every parameter of the module.
        x : Tensor of shape (T, N, ...)
            A batch of each task.
        rows : Tensor of shape (T, N) or None, default=None
            0 for rows that only fill up a batch.
        step : int, default=0
            Inner steps done.

        Returns
        -------
        Tensor of shape (T, N, D)
            Features.
        """
        if self.engine == "auto":
            self.engine = self._choose(weights, x)
        return getattr(self, f"_{self.engine}")(weights, x, rows, step)

    # -- the four ways ----------------------------------------------------------------

    def _stack(
        self, weights: Params, x: Tensor, rows: Tensor | None, step: int
    ) -> Tensor:
        assert self._layers is not None
        for name, layer in self._layers:
            if isinstance(layer, nn.Linear):
                x = linear(weights, name, x)
            elif isinstance(layer, nn.Flatten):
                x = x.flatten(2)
            else:
                x = layer(x)
        return x

    def _maps(
        self, weights: Params, x: Tensor, rows: Tensor | None, step: int
    ) -> Tensor:
        if rows is not None and self._norms:  # gaps, which the fused kernels would see
            return self._vmap(weights, x, rows, step)
        assert self._plan is not None
        n_tasks = len(x)
        with task_batch(self._norms, None, step):
            for layer in self._plan:
                x = layer(weights, x, n_tasks)
        return x

    def _vmap(
        self, weights: Params, x: Tensor, rows: Tensor | None, step: int
    ) -> Tensor:
        gaps = rows if self._norms else None

        def one(weights: Params, x: Tensor, rows: Tensor | None) -> Tensor:
            with task_batch(self._norms, rows, step):
                return functional_call(self.module, dict(weights), (x,))

        axes = (0, 0, None if gaps is None else 0)
        with self._context():
            return vmap(one, in_dims=axes, randomness="different")(weights, x, gaps)

    def _loop(
        self, weights: Params, x: Tensor, rows: Tensor | None, step: int
    ) -> Tensor:
        found = []
        with self._context():
            for t in range(len(x)):
                mine = {name: values[t] for name, values in weights.items()}
                with task_batch(self._norms, None if rows is None else rows[t], step):
                    found.append(functional_call(self.module, mine, (x[t],)))
        return torch.stack(found)

    # -- which of them ----------------------------------------------------------------

    def _choose(self, weights: Params, x: Tensor) -> str:
        if self._layers is not None:
            return "stack"
        ways = ("vmap",) if self._plan is None else ("maps", "vmap")
        return next((way for way in ways if self._works(way, weights, x)), "loop")

    def _works(self, way: str, weights: Params, x: Tensor) -> bool:
        try:
            return self._agrees(getattr(self, f"_{way}"), weights, x)
        except (RuntimeError, NotImplementedError, ValueError):
            # What it cannot batch; the loop raises again what is wrong anyway.
            return False

    def _agrees(self, way: Any, weights: Params, x: Tensor) -> bool:
        """Compare features and their gradients on two tasks, without dropout."""
        training = self.module.training
        self.module.eval()
        try:
            found = [self._probe(f, weights, x) for f in (way, self._loop)]
        finally:
            self.module.train(training)
        # Against the largest: some gradients are nothing but rounding.
        largest = max(float(b.detach().abs().max()) for b in found[1])
        return all(
            torch.allclose(a, b, rtol=_AGREE, atol=_AGREE * largest)
            for a, b in zip(*found, strict=True)
        )

    def _probe(self, forward: Any, weights: Params, x: Tensor) -> list[Tensor]:
        index = torch.tensor([0, len(x) - 1], device=x.device)
        leaves = {k: v.detach()[index].requires_grad_() for k, v in weights.items()}
        with torch.enable_grad():
            out = forward(leaves, x.detach()[index], None, 0)
            wave = torch.cos(torch.arange(out.numel(), device=x.device)).to(out.dtype)
            value = (out.flatten() * wave).sum()
            if not value.requires_grad:
                return [out]
            found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
        return [out, *(g for g in found if g is not None)]

    def _context(self) -> Any:
        # The fast kernels of attention have no second derivative.
        return sdpa_kernel(SDPBackend.MATH) if self._may_attend else nullcontext()


def _may_attend(module: nn.Module) -> bool:
    home = type(module).__module__.partition(".")[0]
    return isinstance(module, nn.MultiheadAttention) or home not in _KNOWN_HOMES


_KNOWN_HOMES = ("torch", "mlmi_sklearn")


def _plain_layers(module: nn.Module) -> list[tuple[str, nn.Module]] | None:
    """Return the layers of a chain of plain ones, None for any other module."""
    chain = plain_chain(module)
    known = (nn.Linear, nn.Flatten, *POINTWISE)
    if chain is None or not all(type(layer) in known for _, layer in chain):
        return None
    if any(isinstance(m, nn.Flatten) and m.start_dim != 1 for _, m in chain):
        return None
    return chain
