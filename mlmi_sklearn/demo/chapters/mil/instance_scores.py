"""How well the instances inside positive bags are ranked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....containers import Bags
from ....metrics import hit_rate_at_k, instance_roc_auc
from ...content import Metric

__all__ = ["INSTANCE", "ranks_of_instances"]

INSTANCE = Metric("instance_roc_auc", "instance AUC")


def ranks_of_instances(
    model: Any, bags: Bags, labels: NDArray[Any]
) -> dict[str, float]:
    """Score every instance as a bag of its own and compare with the truth.

    That is what ``MILClassifier.instance_scores`` does, and it serves all methods.

    Parameters
    ----------
    model : estimator
        Fitted on bags, with ``decision_function``.
    bags : Bags
        Test bags.
    labels : ndarray of shape (n_instances,)
        1 for instances that truly are positive, 0 for the others.

    Returns
    -------
    dict of str to float
        ``instance_roc_auc``, inside positive bags, and ``hit_rate_at_1``.
    """
    alone = Bags(np.asarray(bags.values), np.ones(bags.n_instances, int))
    scores = model.decision_function(alone)
    return {
        INSTANCE.key: instance_roc_auc(labels, scores, bags=bags, within_positive=True),
        "hit_rate_at_1": hit_rate_at_k(labels, scores, bags=bags),
    }
