"""Whether the weights that a new module begins with will ever be used.

A fitted estimator that is unpickled or loaded builds its module anew and then writes
its own weights into it. A factory that would fetch pretrained weights over a network,
or read a large file, can leave that out then.

>>> from mlmi_sklearn.nn.initial import weights_follow, weights_matter
>>> weights_matter()
True
>>> with weights_follow():
...     weights_matter()
False
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

__all__ = ["weights_follow", "weights_matter"]

_FOLLOW: ContextVar[bool] = ContextVar("weights_follow", default=False)


@contextmanager
def weights_follow() -> Iterator[None]:
    """Say that all weights of modules built in the block are written right after it.

    Examples
    --------
    >>> from mlmi_sklearn.nn.initial import weights_follow, weights_matter
    >>> with weights_follow():
    ...     weights_matter()
    False
    """
    token = _FOLLOW.set(True)
    try:
        yield
    finally:
        _FOLLOW.reset(token)


def weights_matter() -> bool:
    """Tell a factory whether the weights that it gives a module will be used.

    Returns
    -------
    bool
        False while a fitted model is restored, and on the device "meta", where tensors
        hold nothing.

    Examples
    --------
    >>> import torch
    >>> from mlmi_sklearn.nn.initial import weights_matter
    >>> with torch.device("meta"):
    ...     weights_matter()
    False
    """
    return not _FOLLOW.get() and torch.get_default_device().type != "meta"
