"""Bags of handwritten digits: the offline relative of MNIST-bags."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.datasets import load_digits
from sklearn.utils import check_random_state, check_scalar

from mlmi_sklearn.containers import Bags

_SPLITS = ("train", "test", "both")


def make_digit_bags(
    n_bags: int = 100,
    mean_size: float = 10.0,
    std_size: float = 2.0,
    *,
    positive: int = 9,
    split: Literal["train", "test", "both"] = "train",
    images: bool = False,
    random_state: Any = None,
) -> tuple[Bags, np.ndarray]:
    """Make bags of handwritten digits that are positive if they hold a certain digit.

    The images are the 8 x 8 digits of scikit-learn. They are divided once and for all:
    every third image of each digit belongs to the test set. So bags of
    ``split="train"`` and of ``split="test"`` never share an image, whatever the seed.
    Bags of one split may; an image occurs once in a bag, as far as they last.

    Parameters
    ----------
    n_bags : int, default=100
        Number of bags. Half of them, rounded up, are positive.
    mean_size : float, default=10.0
        Mean number of images in a bag.
    std_size : float, default=2.0
        Standard deviation of that number, which is rounded and at least 1.
    positive : int, default=9
        Digit from 0 to 9 that makes a bag positive.
    split : {"train", "test", "both"}, default="train"
        Which images to draw from; "both" means all, and leaves none to test with.
    images : bool, default=False
        Whether instances are images of shape (8, 8) instead of 64 features.
    random_state : int, RandomState instance or None, default=None
        Determines the bags.

    Returns
    -------
    X : Bags
        Bags of float32 between 0 and 1; ``X.y_instances`` is 1 for images of the
        positive digit, so ``y[i]`` is their maximum in bag i.
    y : ndarray of int of shape (n_bags,)
        Labels of the bags, in random order.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Ilse, M., Tomczak, J. and Welling, M. (2018). Attention-based deep multiple instance
    learning. ICML, section 4.2 (there with MNIST).

    Examples
    --------
    >>> from mlmi_sklearn.datasets import make_digit_bags
    >>> X, y = make_digit_bags(n_bags=20, random_state=0)
    >>> X.n_features, int(y.sum())
    (64, 10)
    >>> all(X[[i]].y_instances.max() == y[i] for i in range(20))
    True
    """
    check_scalar(n_bags, "n_bags", Integral, min_val=1)
    check_scalar(mean_size, "mean_size", Real, min_val=1)
    check_scalar(std_size, "std_size", Real, min_val=0)
    check_scalar(positive, "positive", Integral, min_val=0, max_val=9)
    if split not in _SPLITS:
        raise ValueError(f"split must be one of {_SPLITS}, got {split!r}.")
    rng = check_random_state(random_state)
    digits = load_digits()
    pool = _image_numbers(digits.target, split)
    y = rng.permutation(np.arange(n_bags) % 2 == 0).astype(np.int64)
    sizes = np.maximum(np.rint(rng.normal(mean_size, std_size, n_bags)), 1).astype(int)
    is_positive = digits.target[pool] == positive
    chosen = [
        _draw(pool[is_positive], pool[~is_positive], size, bool(label), rng)
        for size, label in zip(sizes.tolist(), y, strict=True)
    ]
    drawn = np.concatenate(chosen)
    pixels = (digits.images if images else digits.data)[drawn] / 16
    labels = (digits.target[drawn] == positive).astype(np.int64)
    return Bags(pixels.astype(np.float32), sizes, y_instances=labels), y


def _image_numbers(target: np.ndarray, split: str) -> np.ndarray:
    """Return the images of a split: every third of each digit is for testing."""
    rank = np.empty(len(target), dtype=np.int64)
    for digit in range(10):
        members = np.flatnonzero(target == digit)
        rank[members] = np.arange(len(members))
    if split == "both":
        return np.arange(len(target))
    return np.flatnonzero((rank % 3 == 2) == (split == "test"))


def _draw(
    positives: np.ndarray,
    negatives: np.ndarray,
    size: int,
    label: bool,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Draw one bag; a positive one is a random bag that holds a positive image."""
    pool = np.concatenate([positives, negatives]) if label else negatives
    while True:
        bag = rng.choice(pool, size, replace=size > len(pool))
        # Drawn again until it holds one, so that the number of positive images has
        # the distribution of random bags.
        if not label or np.isin(bag, positives).any():
            return bag
