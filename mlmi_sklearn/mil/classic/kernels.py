"""Kernels between bags: sums of a kernel over all pairs of their instances."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from ...containers import Bags
from ...persistence.flat import PlainState
from ._blocks import BUDGET, bag_blocks, default_gamma, dense, starts_of
from ._set_kernels import (
    KERNELS,
    NORMALIZATIONS,
    instance_kernel,
    normalized,
    self_kernels,
    summed,
)
from ._template import BagFeatures, read_pair

__all__ = ["NormalizedSetKernel", "normalized_set_kernel"]

Array = NDArray[Any]

_KERNEL_CONSTRAINTS: dict[str, list[Any]] = {
    "kernel": [StrOptions(set(KERNELS)), callable],
    "gamma": [StrOptions({"scale"}), Interval(Real, 0, None, closed="neither")],
    "degree": [Interval(Real, 1, None, closed="left")],
    "coef0": [Interval(Real, 0, None, closed="left")],
    "normalization": [StrOptions(set(NORMALIZATIONS)), None],
}


@validate_params(_KERNEL_CONSTRAINTS, prefer_skip_nested_validation=True)
def normalized_set_kernel(
    X: Any,
    Y: Any = None,
    *,
    kernel: Any = "rbf",
    gamma: Any = "scale",
    degree: float = 3,
    coef0: float = 1,
    normalization: str | None = "feature-space",
) -> Array:
    r"""Compute the normalised set kernel between bags.

    .. math:: K(A, B) = \frac{1}{n_A n_B} \sum_{a \in A} \sum_{b \in B} k(a, b)

    with :math:`n_B = \sqrt{\sum_{b, b' \in B} k(b, b')}` (``"feature-space"``, so that
    :math:`K(B, B) = 1`) or :math:`n_B = |B|` (``"average"``).

    Parameters
    ----------
    X : Bags or other bags
        See :func:`~mlmi_sklearn.check_bags`; instances may be CSR.
    Y : Bags or other bags, default=None
        The other bags; None means `X`.
    kernel : {"rbf", "linear", "poly", "laplacian", "cosine"} or callable, default="rbf"
        Positive definite kernel k between instances; a callable maps matrices of
        shapes (n, d) and (m, d) to one of shape (n, m).
    gamma : float or "scale", default="scale"
        For ``"rbf"``, ``"poly"`` and ``"laplacian"``; ``"scale"`` means ``1 /
        (n_features * variance)`` of the instances in `Y`, the training bags.
    degree, coef0 : float, default=3, 1
        Of ``"poly"``.
    normalization : {"feature-space", "average"} or None, default="feature-space"
        None means :math:`n_B = 1`, the plain set kernel.

    Returns
    -------
    ndarray of shape (n_bags_X, n_bags_Y)
        The kernel matrix, float64.

    Raises
    ------
    BagError, ValueError
        If X or Y cannot be read as bags of vectors of one width, or a parameter is out
        of range.

    References
    ----------
    Gärtner, Flach, Kowalczyk and Smola, *Multi-instance kernels*, ICML 2002, sections
    3.1 and 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import Bags
    >>> from mlmi_sklearn.mil import normalized_set_kernel
    >>> bags = Bags(np.array([[1.0], [3.0], [-2.0]]), lengths=[2, 1])
    >>> normalized_set_kernel(bags, kernel="linear", normalization="average")
    array([[ 4., -4.],
           [-4.,  4.]])
    """
    first, given = read_pair(X, Y)
    second = first if given is None else given
    width = default_gamma(gamma, second.values)
    inner = instance_kernel(kernel, gamma=width, degree=degree, coef0=coef0)
    norms = _norms(first, inner, normalization)
    others = norms if given is None else _norms(second, inner, normalization)
    return normalized(summed(first, second, inner), norms, others, normalization)


def _norms(bags: Bags, inner: Any, normalization: str | None) -> Array:
    """Return what :func:`normalized` needs to know of each bag."""
    is_norm = normalization == "feature-space"
    return self_kernels(bags, inner) if is_norm else bags.lengths


class NormalizedSetKernel(PlainState, ClassNamePrefixFeaturesOutMixin, BagFeatures):
    r"""Compare every bag with the training bags by the normalised set kernel.

    .. math:: K(A, B) = \frac{1}{n_A n_B} \sum_{a \in A} \sum_{b \in B} k(a, b)

    Follow it by ``SVC(kernel="precomputed")`` in a pipeline: the output is the kernel
    matrix between the given and the training bags, so cross-validation and searches
    need nothing special. With `approximation`, the output is an explicit map whose
    scalar products approximate K, for a linear model and many bags.

    Parameters
    ----------
    kernel : {"rbf", "linear", "poly", "laplacian", "cosine"} or callable, default="rbf"
        Positive definite kernel k between instances; a callable maps matrices of
        shapes (n, d) and (m, d) to one of shape (n, m).
    gamma : float or "scale", default="scale"
        For ``"rbf"``, ``"poly"`` and ``"laplacian"``; ``"scale"`` means ``1 /
        (n_features * variance of the training instances)``.
    degree, coef0 : float, default=3, 1
        Of ``"poly"``.
    normalization : {"feature-space", "average"} or None, default="feature-space"
        ``"feature-space"``: :math:`n_B = \sqrt{\sum_{b, b'} k(b, b')}`, so that
        :math:`K(B, B) = 1`; ``"average"``: :math:`n_B = |B|`; None: 1.
    approximation : {"nystroem", "rff"} or None, default=None
        Map instances by :class:`~sklearn.kernel_approximation.Nystroem` (any named
        kernel) or by random Fourier features (``"rbf"`` only) and sum over the bag.
    n_components : int, default=100
        Columns of the approximate map; for ``"nystroem"`` at most as many as there are
        training instances.
    random_state : int, RandomState instance or None, default=None
        For the approximation.

    Attributes
    ----------
    bags_ : Bags or None
        The training bags; None with an approximation.
    gamma_ : float
        The width in use.
    sampler_ : estimator or None
        The fitted map of instances.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when the instances had names.

    See Also
    --------
    normalized_set_kernel : The same as a function.
    BagStatistics : The statistic kernel is a kernel on its output.

    Notes
    -----
    Time is that of the kernel between all pairs of instances; memory is bounded. The
    transformer keeps the training bags. ``SVC(kernel=callable)`` cannot work here,
    since SVC reads X as one table.

    References
    ----------
    Gärtner, Flach, Kowalczyk and Smola, *Multi-instance kernels*, ICML 2002.

    Rahimi and Recht, *Random features for large-scale kernel machines*, NeurIPS 2007.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import SVC
    >>> from mlmi_sklearn import InstanceWise, NormalizedSetKernel
    >>> from mlmi_sklearn.datasets import load_musk1
    >>> bags, y = load_musk1(return_X_y=True)
    >>> svm = SVC(kernel="precomputed", C=10)
    >>> model = make_pipeline(InstanceWise(), NormalizedSetKernel(), svm)
    >>> model.fit(bags[::2], y[::2]).score(bags[1::2], y[1::2]) > 0.7
    True
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **_KERNEL_CONSTRAINTS,
        "approximation": [StrOptions({"nystroem", "rff"}), None],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        kernel: Any = "rbf",
        *,
        gamma: Any = "scale",
        degree: float = 3,
        coef0: float = 1,
        normalization: str | None = "feature-space",
        approximation: str | None = None,
        n_components: int = 100,
        random_state: Any = None,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.normalization = normalization
        self.approximation = approximation
        self.n_components = n_components
        self.random_state = random_state

    def _learn(self, bags: Bags) -> None:
        """Keep the training bags, or fit the map of instances."""
        if self.approximation == "rff" and self.kernel != "rbf":
            raise ValueError(
                f"approximation='rff' is for kernel='rbf', got kernel={self.kernel!r}; "
                "use approximation='nystroem'."
            )
        if self.approximation is not None and callable(self.kernel):
            raise ValueError(
                f"approximation={self.approximation!r} needs a kernel by name, one of "
                f"{KERNELS}; with a callable use approximation=None."
            )
        self.gamma_ = default_gamma(self.gamma, bags.values)
        self.bags_: Bags | None = None
        self.sampler_: Any = None
        if self.approximation is None:
            self.bags_ = bags
            self._train_norms = _norms(bags, self._instances(), self.normalization)
        else:
            self.sampler_ = self._fitted_sampler(bags.values)

    def _encode(self, bags: Bags) -> Array:
        """Return the kernel to the training bags, or the explicit map."""
        if self.bags_ is None:
            out = self._mapped(bags)
        else:
            inner = self._instances()
            sums = summed(bags, self.bags_, inner)
            norms = _norms(bags, inner, self.normalization)
            out = normalized(sums, norms, self._train_norms, self.normalization)
        return out.astype(bags.values.dtype, copy=False)

    def _instances(self) -> Any:
        """Return the kernel between instances."""
        return instance_kernel(
            self.kernel, gamma=self.gamma_, degree=self.degree, coef0=self.coef0
        )

    def _fitted_sampler(self, values: Any) -> Any:
        """Return the map of instances, learnt in float64.

        The landmarks are drawn here, so that no more than they need be converted; in
        single precision the root of their kernel matrix keeps two digits or so.
        """
        random = check_random_state(self.random_state)
        n_landmarks = min(self.n_components, values.shape[0])
        rows = random.choice(values.shape[0], n_landmarks, replace=False)
        landmarks = values[rows].astype(np.float64, copy=False)
        if self.approximation == "rff":
            sampler = RBFSampler(
                gamma=self.gamma_, n_components=self.n_components, random_state=random
            )
        else:
            sampler = Nystroem(
                self.kernel,
                gamma=self.gamma_,
                degree=self.degree,
                coef0=self.coef0,
                n_components=n_landmarks,
                random_state=random,
            )
        return sampler.fit(landmarks)

    def _mapped(self, bags: Bags) -> Array:
        """Sum the maps of the instances of each bag, and normalise."""
        values, lengths = bags.values, bags.lengths
        out = np.empty((len(bags), self._n_features_out))
        most = max(1, BUDGET // max(self._n_features_out, values.shape[1]))
        for chosen, rows in bag_blocks(lengths, most):
            block = values[rows].astype(np.float64, copy=False)
            mapped = dense(self.sampler_.transform(block))
            starts = starts_of(lengths[chosen])
            out[chosen] = np.add.reduceat(mapped, starts, axis=0, dtype=np.float64)
        if self.normalization == "average":
            out /= lengths[:, np.newaxis]
        elif self.normalization == "feature-space":
            norms = np.linalg.norm(out, axis=1, keepdims=True)
            out /= np.where(norms > 0, norms, 1.0)
        return out

    @property
    def _n_features_out(self) -> int:
        if self.bags_ is not None:
            return len(self.bags_)
        return self.sampler_._n_features_out
