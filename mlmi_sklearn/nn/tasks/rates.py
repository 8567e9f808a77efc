"""Step sizes within tasks: given, or learned with the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .._checks import check_choice

__all__ = ["RATES", "StepSizes"]

RATES = ("given", "learn", "learn-per-step", "elementwise")
"""How step sizes are found; see :class:`StepSizes`."""


class StepSizes(nn.Module):
    """A step size for each parameter and inner step.

    Parameters
    ----------
    parameters : iterable of (str, Tensor)
        What the inner loop may change.
    start : float
        The step size, or where learning it begins.
    kind : {"given", "learn", "learn-per-step", "elementwise"}, default="given"
        ``"given"``: fixed. ``"learn"``: one a parameter tensor. ``"learn-per-step"``:
        one a parameter tensor and step; steps beyond use the last. ``"elementwise"``:
        one for every single weight.
    n_steps : int, default=1
        Inner steps in training.

    References
    ----------
    Li, Zhou, Chen and Li, *Meta-SGD*, 2017, equation 3 (``"elementwise"``). Antoniou,
    Edwards and Storkey, *How to train your MAML*, ICLR 2019, section 4
    (``"learn-per-step"``).

    Examples
    --------
    >>> sizes = StepSizes([("head.bias", torch.zeros(3))], 0.1, "learn-per-step", 2)
    >>> round(sizes("head.bias", 5).item(), 3), len(list(sizes.parameters()))
    (0.1, 1)
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, Tensor]],
        start: float,
        kind: str = "given",
        n_steps: int = 1,
    ) -> None:
        super().__init__()
        self.kind = check_choice(kind, "inner_lr", RATES)
        self.start = float(start)
        self.sizes = nn.ParameterDict()
        if kind == "given":
            return
        for name, value in parameters:
            shape = {"learn": (), "learn-per-step": (n_steps,)}.get(kind, value.shape)
            self.sizes[_key(name)] = nn.Parameter(torch.full(shape, self.start))

    def forward(self, name: str, step: int) -> Any:
        """Return the step size of a parameter, a number or a tensor."""
        key = _key(name)
        if key not in self.sizes:
            return self.start
        found = self.sizes[key]
        return found[min(step, len(found) - 1)] if self._per_step else found

    @property
    def _per_step(self) -> bool:
        return self.kind == "learn-per-step"


def _key(name: str) -> str:
    # Names of parameters of a module must not have dots.
    return name.replace(".", "|")
