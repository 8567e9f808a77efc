"""Bags as deviations from a codebook of instances: VLAD and Fisher vectors."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import config_context
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt

from ...containers import Bags
from ._blocks import BUDGET, bag_blocks, dense, starts_of
from ._template import BagFeatures

__all__ = ["BagFisherVector", "BagVLAD"]

Array = NDArray[Any]

_COUNT = Interval(Integral, 1, None, closed="left")


class _Codebook(ClassNamePrefixFeaturesOutMixin, BagFeatures):
    """Projects instances, learns a codebook on a sample, encodes block by block."""

    projection: Any
    subsample: int | None
    random_state: Any

    def _learn(self, bags: Bags) -> None:
        """Fit the projection and the codebook on (a sample of) all instances."""
        random = check_random_state(self.random_state)
        values = bags.values
        if self.subsample is not None and self.subsample < values.shape[0]:
            rows = random.choice(values.shape[0], self.subsample, replace=False)
            values = values[np.sort(rows)]
        self.projection_ = None
        if self.projection is not None and _varies(values):
            # PCA knows no more directions than this.
            most, given = min(values.shape), self.projection
            given = min(given, most) if isinstance(given, Integral) else given
            wide = dense(values).astype(np.float64, copy=False)
            self.projection_ = PCA(given, random_state=random).fit(wide)
        self._learn_codebook(self._project(values), random)

    def _project(self, values: Any) -> Any:
        """Rotate and shorten the instances.

        In float64 whatever came, since k-means refuses what differs in type from its
        centres, and equal numbers of either type are then encoded alike.
        """
        values = values.astype(np.float64, copy=False)
        if self.projection_ is None:
            return values
        return self.projection_.transform(dense(values))

    def _encode(self, bags: Bags) -> Array:
        """Encode, take signed roots and scale to unit length."""
        values, lengths = bags.values, bags.lengths
        out = np.empty((len(bags), self._n_features_out), dtype=values.dtype)
        most = max(1, BUDGET // values.shape[1])
        for chosen, rows in bag_blocks(lengths, most):
            codes = self._encode_block(self._project(values[rows]), lengths[chosen])
            roots = np.sign(codes) * np.sqrt(np.abs(codes))
            out[chosen] = normalize(roots, copy=False)
        return out

    @abstractmethod
    def _learn_codebook(self, values: Any, random: Any) -> None: ...

    @abstractmethod
    def _encode_block(self, values: Any, lengths: Array) -> Array: ...

    @property
    @abstractmethod
    def _n_features_out(self) -> int: ...


def _varies(values: Any) -> bool:
    """Tell whether there are two different instances, for PCA to find a direction."""
    return values.shape[0] > 1 and bool((dense(values) != dense(values[:1])).any())


_CONSTRAINTS: dict[str, Any] = {
    "projection": [_COUNT, Interval(RealNotInt, 0, 1, closed="neither"), None],
    "subsample": [_COUNT, None],
    "random_state": ["random_state"],
}


class BagVLAD(_Codebook):
    r"""Encode every bag by residuals to the centres of k-means (miVLAD).

    Each instance belongs to its nearest centre :math:`c_k`, and a bag is the vector of
    the sums :math:`v_k = \sum_{j: c(x_j) = k} (x_j - c_k)`, with signed square roots
    and scaled to unit length. Use a linear or RBF support vector machine on top.

    Parameters
    ----------
    n_clusters : int, default=4
        Centres; at most as many as training instances.
    projection : int, float or None, default=None
        Dimensions that PCA keeps beforehand, or in (0, 1) the share of the variance;
        None for no PCA.
    subsample : int or None, default=50000
        Training instances, drawn at random, on which the codebook is learnt; None for
        all.
    random_state : int, RandomState instance or None, default=None
        For the sample and k-means.

    Attributes
    ----------
    kmeans_ : sklearn.cluster.KMeans
        The codebook.
    projection_ : sklearn.decomposition.PCA or None
        The projection; None also where all training instances are equal.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when the instances had names.

    See Also
    --------
    BagFisherVector : The same with a mixture of Gaussians.

    Notes
    -----
    CSR instances stay sparse unless there is a `projection`. The output has
    ``n_clusters`` times the number of (projected) features.

    References
    ----------
    Wei, Wu and Zhou, *Scalable algorithms for multi-instance learning*, IEEE TNNLS
    28(4), 2017.

    Examples
    --------
    >>> from mlmi_sklearn import BagVLAD
    >>> from mlmi_sklearn.datasets import load_musk1
    >>> bags, _ = load_musk1(return_X_y=True)
    >>> BagVLAD(n_clusters=2, random_state=0).fit_transform(bags).shape
    (92, 332)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_clusters": [_COUNT],
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        n_clusters: int = 4,
        *,
        projection: Any = None,
        subsample: int | None = 50_000,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.projection = projection
        self.subsample = subsample
        self.random_state = random_state

    def _learn_codebook(self, values: Any, random: Any) -> None:
        n_clusters = min(self.n_clusters, values.shape[0])
        self.kmeans_ = KMeans(n_clusters, n_init=5, random_state=random).fit(values)

    def _encode_block(self, values: Any, lengths: Array) -> Array:
        """Sum residuals: instances of each bag and centre, minus the centres."""
        centres = self.kmeans_.cluster_centers_
        shape = (len(lengths), *centres.shape)
        nearest = self.kmeans_.predict(values)
        cell = np.repeat(np.arange(len(lengths)), lengths) * len(centres) + nearest
        rows, ones = np.arange(len(cell)), np.ones(len(cell))
        members = sparse.csr_array(
            (ones, (cell, rows)), shape=(shape[0] * shape[1], len(cell))
        )
        counts = np.bincount(cell, minlength=shape[0] * shape[1])
        sums = dense(members @ values)
        residuals = sums.reshape(shape) - counts.reshape(*shape[:2], 1) * centres
        return residuals.reshape(len(lengths), -1)

    @property
    def _n_features_out(self) -> int:
        return self.kmeans_.cluster_centers_.size


class BagFisherVector(_Codebook):
    r"""Encode every bag as the Fisher vector of a Gaussian mixture (miFV).

    With weights :math:`w_k`, means :math:`\mu_k`, diagonal deviations :math:`\sigma_k`
    of the mixture of all training instances, posteriors :math:`\gamma_{jk}` and
    :math:`z_{jk} = (x_j - \mu_k) / \sigma_k`, a bag of n instances is the vector of

    .. math::
        \frac{1}{n \sqrt{w_k}} \sum_j \gamma_{jk} z_{jk}
        \quad\text{and}\quad
        \frac{1}{n \sqrt{2 w_k}} \sum_j \gamma_{jk} (z_{jk}^2 - 1),

    with signed square roots and scaled to unit length: how the bag would change the
    mixture. Use a linear or RBF support vector machine on top.

    Parameters
    ----------
    n_components : int, default=1
        Gaussians; at most as many as training instances.
    projection : int, float or None, default=0.95
        Dimensions that PCA keeps beforehand, or in (0, 1) the share of the variance;
        None for no PCA. Diagonal Gaussians suit features without correlation.
    subsample : int or None, default=50000
        Training instances, drawn at random, on which projection and mixture are
        learnt; None for all.
    random_state : int, RandomState instance or None, default=None
        For the sample and the mixture.

    Attributes
    ----------
    mixture_ : sklearn.mixture.GaussianMixture
        The codebook.
    projection_ : sklearn.decomposition.PCA or None
        The projection; None also where all training instances are equal.
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when the instances had names.

    See Also
    --------
    BagVLAD : The same with k-means, first order only.

    Notes
    -----
    The sample and blocks of CSR instances are made dense: for wide data reduce them
    first, with ``InstanceWise(TruncatedSVD(100))``. The output has ``2 * n_components``
    times the number of projected features.

    References
    ----------
    Wei, Wu and Zhou, *Scalable algorithms for multi-instance learning*, IEEE TNNLS
    28(4), 2017.

    Sánchez, Perronnin, Mensink and Verbeek, *Image classification with the Fisher
    vector: theory and practice*, IJCV 105, 2013, equations 17 and 18.

    Examples
    --------
    >>> from mlmi_sklearn import BagFisherVector
    >>> from mlmi_sklearn.datasets import load_musk1
    >>> bags, _ = load_musk1(return_X_y=True)
    >>> encoder = BagFisherVector(projection=10, random_state=0)
    >>> encoder.fit_transform(bags).shape
    (92, 20)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [_COUNT],
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        projection: Any = 0.95,
        subsample: int | None = 50_000,
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.projection = projection
        self.subsample = subsample
        self.random_state = random_state

    def _learn_codebook(self, values: Any, random: Any) -> None:
        values = dense(values)
        if len(values) == 1:  # a mixture asks for two
            values = np.repeat(values, 2, axis=0)
        mixture = GaussianMixture(
            min(self.n_components, len(values)),
            covariance_type="diag",
            random_state=random,
        )
        # Its start from k-means takes numpy arrays, which these are, and no others.
        with config_context(array_api_dispatch=False):
            self.mixture_ = mixture.fit(values)

    def _encode_block(self, values: Any, lengths: Array) -> Array:
        """Average the gradients of the instances of each bag."""
        values, mixture = dense(values), self.mixture_
        posterior = mixture.predict_proba(values)
        starts, parts = starts_of(lengths), []
        for k, weight in enumerate(mixture.weights_):
            z = (values - mixture.means_[k]) / np.sqrt(mixture.covariances_[k])
            share = posterior[:, k : k + 1] / np.sqrt(max(weight, 1e-12))
            gradients = [share * z, share * (z**2 - 1) / np.sqrt(2)]
            parts += [np.add.reduceat(g, starts, axis=0) for g in gradients]
        return np.hstack(parts) / lengths[:, np.newaxis]

    @property
    def _n_features_out(self) -> int:
        return 2 * self.mixture_.means_.size
