"""Bags as similarities to prototype instances."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from ...containers import Bags
from ._blocks import default_gamma
from ._distances import nearest_squared
from ._template import BagFeatures

__all__ = ["MILESTransformer"]


class MILESTransformer(ClassNamePrefixFeaturesOutMixin, BagFeatures):
    r"""Embed every bag by its similarity to prototype instances (MILES).

    The similarity of bag :math:`B_i` to prototype :math:`x^k` is that of its most
    similar instance,

    .. math:: s(x^k, B_i) = \max_j \exp(-\gamma \lVert x_{ij} - x^k \rVert^2).

    A sparse linear classifier on top, such as
    ``LogisticRegression(l1_ratio=1, solver="liblinear")``, then selects the
    instances that decide.

    Parameters
    ----------
    n_prototypes : int, default=None
        Number of prototypes; None takes all training instances, as the paper does.
        Never more than there are instances.
    selection : {"random", "kmeans"}, default="random"
        How `n_prototypes` are found: a subset drawn at random, or centres of k-means.
    gamma : float or "scale", default="scale"
        Width :math:`\gamma > 0` (the paper writes :math:`1 / \sigma^2`); ``"scale"``
        means ``1 / (n_features * variance of the training instances)``.
    random_state : int, RandomState instance or None, default=None
        For the choice of prototypes.

    Attributes
    ----------
    prototypes_ : ndarray or CSR matrix of shape (n_prototypes, n_features)
        The prototypes.
    prototype_indices_ : ndarray of int of shape (n_prototypes,) or None
        Their rows among the training instances; None for centres of k-means.
    gamma_ : float
        The width in use.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when the instances had names.

    See Also
    --------
    BagStatistics : Statistics of the instances.

    Notes
    -----
    Time is that of ``n_instances * n_prototypes`` distances; memory is bounded, apart
    from the output.

    References
    ----------
    Chen, Bi and Wang, *MILES: multiple-instance learning via embedded instance
    selection*, IEEE TPAMI 28(12), 2006, equation 8.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import Bags, MILESTransformer
    >>> bags = Bags(np.array([[0.0], [1.0], [3.0]]), lengths=[2, 1])
    >>> MILESTransformer(gamma=1.0).fit_transform(bags).round(3)
    array([[1.   , 1.   , 0.018],
           [0.   , 0.018, 1.   ]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_prototypes": [Interval(Integral, 1, None, closed="left"), None],
        "selection": [StrOptions({"random", "kmeans"})],
        "gamma": [
            StrOptions({"scale"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_prototypes: int | None = None,
        *,
        selection: str = "random",
        gamma: Any = "scale",
        random_state: Any = None,
    ) -> None:
        self.n_prototypes = n_prototypes
        self.selection = selection
        self.gamma = gamma
        self.random_state = random_state

    def _learn(self, bags: Bags) -> None:
        """Choose prototypes among the training instances."""
        values = bags.values
        self.gamma_ = default_gamma(self.gamma, values)
        self.prototype_indices_: NDArray[Any] | None = np.arange(values.shape[0])
        if self.n_prototypes is None or self.n_prototypes >= values.shape[0]:
            self.prototypes_ = values
            return
        random = check_random_state(self.random_state)
        if self.selection == "random":
            chosen = random.choice(values.shape[0], self.n_prototypes, replace=False)
            self.prototype_indices_ = np.sort(chosen)
            self.prototypes_ = values[self.prototype_indices_]
        else:
            self.prototype_indices_ = None
            self.prototypes_ = _centres(values, self.n_prototypes, random)

    def _encode(self, bags: Bags) -> NDArray[Any]:
        """Compute similarities to the nearest instance of each bag."""
        values = bags.values
        squared = nearest_squared(values, bags.lengths, self.prototypes_)
        return np.exp(-self.gamma_ * squared).astype(values.dtype, copy=False)

    @property
    def _n_features_out(self) -> int:
        return self.prototypes_.shape[0]


def _centres(values: Any, n_prototypes: int, random: Any) -> NDArray[Any]:
    """Return centres of k-means."""
    kmeans = MiniBatchKMeans(n_prototypes, random_state=random, n_init=3)
    with warnings.catch_warnings():
        # Fewer distinct instances than centres: some prototypes are then equal.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kmeans.fit(values).cluster_centers_
