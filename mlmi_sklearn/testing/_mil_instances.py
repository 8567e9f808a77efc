"""Checks of what multiple-instance estimators say about instances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._core import require
from ._estimator_subject import EstimatorSubject, quiet, require_same

__all__ = ["INSTANCE_METHODS", "MIL_INSTANCE_CHECKS"]

#: Methods that give one array for each bag, with one row an instance.
INSTANCE_METHODS = (
    "instance_scores",
    "predict_instances",
    "predict_instances_proba",
    "attention",
)


def check_instances_are_aligned(subject: EstimatorSubject) -> None:
    """Methods for instances give one array a bag, or all in one with flat=True."""
    bags, y = subject.bags()
    for name, compute in _methods(subject.fit(bags, y)):
        parts = compute(bags)
        require(
            isinstance(parts, list),
            f"{name}(X) returned a {type(parts).__name__}.",
            "Return a list with one array for each bag.",
        )
        sizes = [len(part) for part in parts]
        require(
            sizes == bags.lengths.tolist(),
            f"{name}(X) has {sizes} rows for bags of {bags.lengths.tolist()}.",
            "Give one row for each instance.",
        )
        flat = compute(bags, flat=True)
        whole = np.concatenate(parts)
        require(
            isinstance(flat, np.ndarray) and np.array_equal(flat, whole),
            f"{name}(X, flat=True) is not the arrays of all bags in one.",
            "Return np.concatenate of the list.",
        )


def check_instances_follow_their_bags(subject: EstimatorSubject) -> None:
    """Results for instances do not depend on other bags, nor on any order."""
    bags, y = subject.bags()
    order = np.random.default_rng(4).permutation(len(bags))
    turns = [np.random.default_rng(5).permutation(n) for n in bags.lengths]
    turned = [bag[turn] for bag, turn in zip(bags, turns, strict=True)]
    for name, compute in _methods(subject.fit(bags, y)):
        parts = compute(bags)
        cases = {
            "for a bag alone": ([compute([bag])[0] for bag in bags], parts),
            "for bags in another order": (
                compute(bags[order]),
                [parts[i] for i in order],
            ),
            "for instances in another order": (
                compute(turned),
                [part[turn] for part, turn in zip(parts, turns, strict=True)],
            ),
        }
        for when, (found, expected) in cases.items():
            what, remedy = f"results differ {when}", "Keep to one bag, and its order."
            require_same({name: found}, {name: expected}, what, remedy, 1e-5)


def check_instances_of_bags_of_one(subject: EstimatorSubject) -> None:
    """Bags of one are ranked as their instances are."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    singles = [row[None] for row in bags.values]
    if not all(hasattr(model, m) for m in ("instance_scores", "decision_function")):
        return
    with quiet():
        instances = np.asarray(model.instance_scores(singles, flat=True))
        scores = np.asarray(model.decision_function(singles))
    if instances.ndim != 1 or scores.ndim != 1:
        return
    # Ties of instances may stand in any order, so sort within them by the score.
    order = np.lexsort((scores, np.round(instances, 9)))
    worst = float(np.maximum(-np.diff(scores[order]), 0).max(initial=0))
    require(
        worst <= 1e-5 * max(1.0, float(np.abs(scores).max())),
        f"of two bags of one, the better instance scores lower by {worst:.3g}.",
        "A bag of one and its instance are the same thing.",
    )


def check_attention_is_shares(subject: EstimatorSubject) -> None:
    """Attention is not negative and sums to one over each bag."""
    bags, y = subject.bags()
    model = subject.fit(bags, y)
    if not hasattr(model, "attention"):
        return
    for index, weights in enumerate(model.attention(bags)):
        total, lowest = float(np.sum(weights)), float(np.min(weights))
        require(
            weights.shape == (len(bags[index]),)
            and lowest >= 0
            and abs(total - 1) <= 1e-5,
            f"weights of bag {index} sum to {total:.6g}, the lowest is {lowest:.3g}.",
            "Divide by the sum over the bag.",
        )


def _methods(model: Any) -> Iterator[tuple[str, Any]]:
    for name in INSTANCE_METHODS:
        if hasattr(model, name):
            yield name, getattr(model, name)


MIL_INSTANCE_CHECKS = [
    check_instances_are_aligned,
    check_instances_follow_their_bags,
    check_instances_of_bags_of_one,
    check_attention_is_shares,
]
