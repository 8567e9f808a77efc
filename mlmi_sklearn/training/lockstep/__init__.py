"""Train many nets of one structure together, each on its own data.

A step of a small net is mostly overhead: some dozens of calls for a few thousand
multiplications. Here the weights of K nets are stacked, (K, ...) each, and one forward
pass, one backward pass and one call of the optimiser serve all of them. Every net sees
the batches, rates and numbers of steps that it would have seen alone, so it ends with
the weights it would have had alone, up to rounding.

:func:`structure_of` tells which nets can be trained together, :class:`Lockstep` trains
them.
"""

from __future__ import annotations

from .member import EarlyStopping, Member
from .structure import Structure, structure_of
from .trainer import Lockstep

__all__ = ["EarlyStopping", "Lockstep", "Member", "Structure", "structure_of"]
