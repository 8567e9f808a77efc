"""Drawing new samples that look like the training data, as a condition asks for.

:class:`CGANSampler` learns to draw rows of a table, images or volumes.
"""

from __future__ import annotations

from .cgan import CGANSampler

__all__ = ["CGANSampler"]
