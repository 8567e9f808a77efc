"""Three problems that tell whether a model keeps to the multiple-instance assumption.

Each hides an easy signal of the wrong kind: something whose *absence*, or whose
*number*, goes with the label in training and reverses in testing. A model that can only
let evidence for the positive class raise the score is not misled; one that can use
evidence against it reaches an area under the curve of one in training and falls below
one half in testing.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.utils import check_random_state, check_scalar

from mlmi_sklearn.containers import Bags

Part = tuple[np.ndarray, int]
"""Instances, and the label they have."""
BagMaker = Callable[["_Draw", bool, bool], list[Part]]


def make_raff_holt_bags(
    test: Literal[
        "single-concept", "multi-concept", "false-frequency"
    ] = "single-concept",
    n_bags: int = 500,
    n_features: int = 16,
    *,
    split: Literal["train", "test"] = "train",
    false_concept: Literal["first", "either"] = "first",
    random_state: Any = None,
) -> tuple[Bags, np.ndarray]:
    """Make the bags of an algorithmic unit test of Raff and Holt.

    Train on ``split="train"`` and score the area under the ROC curve on
    ``split="test"``. A value below 0.5 proves that the model relies on something that
    no model of the assumption "positive if any instance is" can rely on.

    Below, N(m, s) is a normal distribution with mean m and standard deviation s in
    every feature, *background* N(0, 1) and *poison* N(-10, 0.1).

    - "single-concept": positive bags hold 1 to 3 instances of N(0, 3) or N(1, 1) in 10
      of background. In training one poison instance is added to each negative bag, in
      testing to each positive bag.
    - "multi-concept": positive bags hold 1 to 3 pairs of one N(2, 0.1) and one
      N(3, 0.1), negative bags one instance of either, all with 1 to 9 of background.
      Poison as above.
    - "false-frequency": positive bags hold one N(2, 0.1) and one N(3, 0.1). Negative
      bags hold one N(2, 0.1) in training, but 35 to 44 of them in testing, all with 1
      to 9 of background. A model that counts is misled.

    Parameters
    ----------
    test : str, default="single-concept"
        Which of the three tests: "single-concept", "multi-concept" or
        "false-frequency".
    n_bags : int, default=500
        Number of bags. Half of them, rounded up, are positive.
    n_features : int, default=16
        Number of features.
    split : {"train", "test"}, default="train"
        Whether the misleading signal is as in training or reversed.
    false_concept : {"first", "either"}, default="first"
        What negative bags of "false-frequency" hold. "first": N(2, 0.1), so N(3, 0.1)
        alone decides and a maximum over instances can be perfect. "either": N(2, 0.1)
        or N(3, 0.1) at random, so both are needed and a maximum over instances reaches
        0.75 at most.
    random_state : int, RandomState instance or None, default=None
        Determines the bags.

    Returns
    -------
    X : Bags
        Bags of float64, instances in random order. ``X.y_instances`` is 1 for the
        instances of a concept in positive bags, so ``y[i]`` is their maximum in bag i.
    y : ndarray of int of shape (n_bags,)
        Labels of the bags, in random order.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Raff, E. and Holt, J. (2023). Reproducibility in multiple instance learning: a case
    for algorithmic unit tests. NeurIPS, algorithms 1 to 3 (arXiv:2310.17867).

    Examples
    --------
    >>> from mlmi_sklearn.datasets import make_raff_holt_bags
    >>> X, y = make_raff_holt_bags("single-concept", n_bags=4, random_state=0)
    >>> X.n_features, y.sum()
    (16, np.int64(2))
    """
    if test not in _TESTS:
        raise ValueError(f"test must be one of {list(_TESTS)}, got {test!r}.")
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}.")
    if false_concept not in ("first", "either"):
        raise ValueError(
            f"false_concept must be 'first' or 'either', got {false_concept!r}."
        )
    check_scalar(n_bags, "n_bags", Integral, min_val=1)
    check_scalar(n_features, "n_features", Integral, min_val=1)
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_bags) % 2 == 0).astype(np.int64)
    draw = _Draw(rng, n_features, false_concept == "either")
    bags = [_shuffled(_TESTS[test](draw, bool(v), split == "train"), rng) for v in y]
    values, labels = zip(*bags, strict=True)
    return Bags.from_list(values, y_instances=labels), y


class _Draw:
    """Draws instances of the distributions that the tests are made of."""

    def __init__(
        self, rng: np.random.RandomState, n_features: int, either: bool
    ) -> None:
        self.rng = rng
        self.n_features = n_features
        self.either = either

    def normal(self, mean: float, std: float, size: int) -> np.ndarray:
        """Draw instances of one normal distribution."""
        return self.rng.normal(mean, std, (size, self.n_features))

    def count(self, low: int, high: int) -> int:
        """Draw a number from low to high, both included."""
        return int(self.rng.randint(low, high + 1))

    def poison(self, present: bool) -> list[Part]:
        """Draw the poison instance, or nothing."""
        return [(self.normal(-10, 0.1, 1), 0)] if present else []

    def background(self, size: int) -> list[Part]:
        """Draw instances that mean nothing."""
        return [(self.normal(0, 1, size), 0)]

    def concept(self, number: int, size: int, label: bool = False) -> list[Part]:
        """Draw instances of the concept N(2, 0.1) or N(3, 0.1)."""
        return [(self.normal(2 + number, 0.1, size), int(label))]


def _single_concept(draw: _Draw, positive: bool, train: bool) -> list[Part]:
    """Draw a bag of algorithm 1."""
    parts = draw.background(10) + draw.poison(positive != train)
    if positive:
        for _ in range(draw.count(1, 3)):
            mean, std = [(0, 3), (1, 1)][draw.count(0, 1)]
            parts.append((draw.normal(mean, std, 1), 1))
    return parts


def _multi_concept(draw: _Draw, positive: bool, train: bool) -> list[Part]:
    """Draw a bag of algorithm 2."""
    parts = draw.background(draw.count(1, 9)) + draw.poison(positive != train)
    if not positive:
        return parts + draw.concept(draw.count(0, 1), 1)
    pairs = draw.count(1, 3)
    return parts + draw.concept(0, pairs, True) + draw.concept(1, pairs, True)


def _false_frequency(draw: _Draw, positive: bool, train: bool) -> list[Part]:
    """Draw a bag of algorithm 3."""
    parts = draw.background(draw.count(1, 9))
    if positive:
        return parts + draw.concept(0, 1, True) + draw.concept(1, 1, True)
    number = draw.count(0, 1) if draw.either else 0
    return parts + draw.concept(number, 1 if train else draw.count(35, 44))


def _shuffled(
    parts: list[Part], rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Join the parts of a bag in random order, so that position tells nothing."""
    values = np.concatenate([part for part, _ in parts])
    labels = np.repeat([label for _, label in parts], [len(part) for part, _ in parts])
    order = rng.permutation(len(values))
    return values[order], labels[order]


_TESTS: dict[str, BagMaker] = {
    "single-concept": _single_concept,
    "multi-concept": _multi_concept,
    "false-frequency": _false_frequency,
}
