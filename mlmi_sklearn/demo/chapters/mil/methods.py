"""The methods compared: four made for bags, and three simple baselines.

Each is an estimator of the package, or a pipeline that begins with one, and has
``decision_function`` and ``predict`` for bags.
"""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ....mil import (
    MISVC,
    BagStatistics,
    InstanceWise,
    MILClassifier,
    MILESTransformer,
    SingleInstanceClassifier,
)
from ...experiment import Method

__all__ = ["SIL", "methods"]

SIL = "SIL logistic regression"


def methods(epochs: int, *, scale: bool) -> tuple[Method, ...]:
    """Return all methods.

    Parameters
    ----------
    epochs : int
        Epochs of the nets.
    scale : bool
        Whether instances are standardised first, on training bags alone.

    Returns
    -------
    tuple of Method
        Those made for bags first, the default of ``MILClassifier`` before all, then
        the simple baselines.
    """
    first = [InstanceWise(StandardScaler())] if scale else []
    logistic = LogisticRegression(max_iter=2000)

    def made_for_bags(name: str, *steps: Any) -> Method:
        return Method(name, True, make_pipeline(*first, *steps))

    def simple(name: str, *steps: Any) -> Method:
        return Method(name, False, make_pipeline(*first, *steps))

    def net(pooling: str) -> MILClassifier:
        # Nets this small gain nothing from an accelerator, and on the processor
        # everybody sees the same numbers.
        return MILClassifier(pooling=pooling, max_epochs=epochs, device="cpu")

    # All see the same features: what scales inside an estimator is off.
    return (
        made_for_bags("MILClassifier (max pooling)", net("max")),
        made_for_bags("MILClassifier (attention)", net("attention")),
        made_for_bags("MISVC", MISVC(scale=False)),
        made_for_bags("MILES + SVC", MILESTransformer(), SVC()),
        simple(SIL, SingleInstanceClassifier(logistic, scale=False)),
        simple("Mean + logistic regression", BagStatistics(("mean",)), logistic),
        simple("Min-max + SVC", BagStatistics(("min", "max")), SVC()),
    )
