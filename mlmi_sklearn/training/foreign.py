"""Modules about which nothing can be taken for granted."""

from __future__ import annotations

from torch import nn

__all__ = ["is_foreign"]


def is_foreign(module: nn.Module) -> bool:
    """Whether a module's class is neither PyTorch's nor this package's.

    Its ``forward`` may do anything: call ``F.dropout``, or write to its input.

    Parameters
    ----------
    module : nn.Module
        A module; its children are not looked at.

    Examples
    --------
    >>> is_foreign(nn.Linear(1, 1))
    False
    """
    return type(module).__module__.partition(".")[0] not in ("torch", "mlmi_sklearn")
