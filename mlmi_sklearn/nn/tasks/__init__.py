"""Many tasks at once: one net with weights of its own for each of them.

A meta-learner needs the features of every task under weights that differ from task to
task, and derivatives of derivatives. Here the weights of T tasks are stacked, (T, ...)
each; :mod:`.stacked` computes all features in one pass, :mod:`.norms` makes batch
normalisation look at one task at a time, :mod:`.heads` scores classes that differ from
task to task, and :mod:`.inner_loop` takes the steps within the tasks.

Gradients are always taken outside of ``torch.func.vmap``, which batches forward passes
only: second derivatives of normalisations inside of it are silently wrong in PyTorch
2.13 (its batching rule of the fused backward pass), and right this way.
"""

from __future__ import annotations

from .episode import Episode, Support, TaskPass
from .heads import TASK_HEADS, TaskHead
from .inner_loop import InnerLoop
from .methods import MetaMethod
from .model import MetaModel
from .norms import NORM_POLICIES, TaskNorm, use_task_norms
from .prototype import PrototypeModel
from .rates import RATES
from .stacked import StackedForward

__all__ = [
    "NORM_POLICIES",
    "RATES",
    "TASK_HEADS",
    "Episode",
    "InnerLoop",
    "MetaMethod",
    "MetaModel",
    "PrototypeModel",
    "StackedForward",
    "Support",
    "TaskHead",
    "TaskNorm",
    "TaskPass",
    "use_task_norms",
]
