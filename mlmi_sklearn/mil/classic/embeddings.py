"""Bags as vectors of statistics of their instances."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from ...containers import Bags
from ._blocks import BUDGET, bag_blocks
from ._statistics import STATISTICS, compute, quantile_of
from ._template import BagFeatures

__all__ = ["BagStatistics"]


class BagStatistics(BagFeatures):
    """Describe every bag by statistics of each feature over its instances.

    A vector a bag makes any estimator of tables one of bags. On the classic sets
    ``("min", "max")`` with an RBF support vector machine and ``("mean", "max")`` with
    logistic regression are hard to beat, and they take milliseconds: start here.

    Parameters
    ----------
    statistics : tuple of str or float, default=("min", "max", "mean")
        Any of ``"min"``, ``"max"``, ``"mean"``, ``"median"``, ``"std"``, ``"var"``
        (both divided by the size of the bag), ``"sum"``, ``"count"`` (instances in the
        bag, one column), and quantiles, as ``"q25"`` for 25 % or as a number in
        [0, 1], interpolated linearly.
    sparse_output : bool, default=False
        Whether to return a CSR matrix.

    Attributes
    ----------
    n_features_in_ : int
        Features of an instance.
    feature_names_in_ : ndarray of str
        Only when the instances had names.

    See Also
    --------
    MILESTransformer : Similarities to instances instead of statistics.
    NormalizedSetKernel : Compares whole bags.

    Notes
    -----
    Instances in CSR format are not made dense. The output then is dense unless
    `sparse_output`, of ``n_bags * n_features * len(statistics)`` numbers.

    References
    ----------
    Gärtner, Flach, Kowalczyk and Smola, *Multi-instance kernels*, ICML 2002, section
    3.2 (minimum and maximum as the statistic kernel).

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import Bags, BagStatistics
    >>> bags = Bags(np.array([[1.0], [5.0], [2.0]]), lengths=[2, 1])
    >>> BagStatistics().fit_transform(bags)
    array([[1., 5., 3.],
           [2., 2., 2.]])
    >>> BagStatistics(("count", "q25")).fit(bags).get_feature_names_out()
    array(['count', 'q25_x0'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "statistics": [tuple, list],
        "sparse_output": ["boolean"],
    }

    def __init__(
        self,
        statistics: Any = ("min", "max", "mean"),
        *,
        sparse_output: bool = False,
    ) -> None:
        self.statistics = statistics
        self.sparse_output = sparse_output

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return names of the columns, such as ``"min_x0"``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features of an instance; those seen in `fit` by default.

        Returns
        -------
        ndarray of str of shape (n_features_out,)
            Statistic by statistic, in the order of `statistics`.
        """
        check_is_fitted(self)
        features = _check_feature_names_in(self, input_features)
        names: list[str] = []
        for statistic in self.statistics:
            if statistic == "count":
                names.append("count")
            else:
                names += [f"{_name(statistic)}_{feature}" for feature in features]
        return np.asarray(names, dtype=object)

    def _learn(self, bags: Bags) -> None:
        """Check the statistics; there is nothing to learn."""
        if not self.statistics:
            raise ValueError(f"statistics={self.statistics!r} is empty. {_CHOICES}")
        for statistic in self.statistics:
            known = isinstance(statistic, str) and statistic in STATISTICS
            if not known and quantile_of(statistic) is None:
                raise ValueError(f"statistics has {statistic!r}. {_CHOICES}")

    def _encode(self, bags: Bags) -> Any:
        """Compute the statistics block by block."""
        values, lengths = bags.values, bags.lengths
        parts: list[Any] = []
        for chosen, rows in bag_blocks(lengths, max(1, BUDGET // values.shape[1])):
            block = np.hstack(
                [compute(s, values[rows], lengths[chosen]) for s in self.statistics]
            ).astype(values.dtype, copy=False)
            parts.append(sparse.csr_matrix(block) if self.sparse_output else block)
        if self.sparse_output:
            return sparse.vstack(parts, format="csr")
        return np.concatenate(parts)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")


_CHOICES = (
    f"Choose among {', '.join(map(repr, STATISTICS))}, 'median', quantiles such as "
    "'q25', and numbers in [0, 1]."
)


def _name(statistic: Any) -> str:
    """Return the prefix of columns; quantiles given as numbers are written out."""
    return statistic if isinstance(statistic, str) else f"q{100 * statistic:g}"
