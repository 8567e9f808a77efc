"""Learning from many tasks, or from another one, to learn a new one from little.

:class:`MAMLEstimator` learns weights from which a few steps solve a new task;
:class:`ProtoNetClassifier` features in which a new class is near its mean. Their plain
rivals are here as well, on the same episodes: :class:`FineTuneClassifier` (ordinary
training, then a new head), :class:`MultiTaskEstimator` (one body, one head a task) and
:class:`SelfTaughtTransformer` (features of unlabelled data).
"""

from __future__ import annotations

from .adapted import AdaptedClassifier, AdaptedRegressor
from .fine_tuning import FineTuneClassifier, FineTuneRegressor
from .maml import MAMLEstimator
from .maml_kinds import MAMLClassifier, MAMLRegressor
from .multi_task import MultiTaskEstimator
from .prototypes import ProtoNetClassifier
from .self_taught import SelfTaughtTransformer

__all__ = [
    "AdaptedClassifier",
    "AdaptedRegressor",
    "FineTuneClassifier",
    "FineTuneRegressor",
    "MAMLClassifier",
    "MAMLEstimator",
    "MAMLRegressor",
    "MultiTaskEstimator",
    "ProtoNetClassifier",
    "SelfTaughtTransformer",
]
