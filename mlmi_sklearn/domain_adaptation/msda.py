"""Features that are easy to tell from their company: marginalised denoising."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from ..base.inputs import read_array
from ..base.state import rollback
from ..components.doclink import DocumentationLink

__all__ = ["MSDATransformer"]

Array = NDArray[Any]


class MSDATransformer(
    DocumentationLink, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    r"""Stack linear denoisers that have seen every corruption there is (mSDA).

    A layer learns to restore its input x from a copy of which each feature was set to
    zero with probability `noise`. What is restored is what the other features tell, so
    that a word that only the target uses points to the words of the source that
    appear in the same company. Infinitely many corrupted copies need not be drawn:
    their moments have a closed form. With :math:`q = 1 - noise`, the covariance C and
    the second moments :math:`m_i = E[x_i^2]`, the best affine map has

    .. math::
        W = q C \, [q^2 C + \mathrm{diag}(q (1 - q) m + \lambda / n)]^{-1}, \quad
        b = \mu - q W \mu,

    and the layer is :math:`h = \tanh(W x + b)`, which the next one takes as input. No
    labels are used: fit on the rows of source and target together.

    Parameters
    ----------
    n_layers : int, default=5
        Layers.
    noise : float, default=0.5
        Probability that a feature is set to zero, between 0 and 1; best chosen by
        the score of the classifier that follows.
    n_frequent : int or None, default=None
        Restore only so many features, those that are non-zero in most rows; None
        restores all. The features are then dealt into blocks of about this size, each
        block restores the frequent ones alone, and what they say is averaged. Layers
        from the second on have this width. Much faster above a few thousand features.
    regularization : float, default=1e-5
        The ridge :math:`\lambda` on W, at least 0; n is the number of rows.
    output : {"all", "last"}, default="all"
        What ``transform`` returns: the input and all layers side by side, or the last
        layer alone.

    Attributes
    ----------
    mappings_ : list of ndarray of shape (n_outputs, n_inputs)
        W of each layer.
    intercepts_ : list of ndarray of shape (n_outputs,)
        b of each layer.
    frequent_features_ : ndarray of int
        Positions of the restored features, in ascending order.
    n_features_in_ : int
        Features.
    feature_names_in_ : ndarray of str
        Only when ``X`` was a table with column names.

    See Also
    --------
    DANNClassifier : Looks for features that do not tell the domains apart.

    Notes
    -----
    Features are best between 0 and 1 (``(X > 0)`` for counts, or
    :class:`~sklearn.preprocessing.MinMaxScaler`), since the output of a layer is
    between -1 and 1. float64 is computed in float64, anything else in float32, which is
    safe: the eigenvalues of the system, scaled to a unit diagonal, are `noise` at
    least. CSR input is not centred nor made dense before the first layer; the output
    is dense.

    A layer of d features costs :math:`O(n d^2 + d^3)`, and `mappings_` hold
    ``n_layers * d**2`` numbers.

    References
    ----------
    Chen, Xu, Weinberger and Sha, *Marginalized denoising autoencoders for domain
    adaptation*, ICML 2012, equation 5 (W) and section 3.3 (frequent features). The
    paper deals features into random blocks; here it is by rank of frequency.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import MSDATransformer
    >>> X = np.random.default_rng(0).poisson(0.5, (40, 6)) > 0
    >>> MSDATransformer(n_layers=2).fit_transform(X).shape
    (40, 18)
    >>> MSDATransformer(n_layers=2, output="last").fit_transform(X).shape
    (40, 6)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "noise": [Interval(Real, 0, 1, closed="neither")],
        "n_frequent": [Interval(Integral, 1, None, closed="left"), None],
        "regularization": [Interval(Real, 0, None, closed="left")],
        "output": [StrOptions({"all", "last"})],
    }

    def __init__(
        self,
        n_layers: int = 5,
        noise: float = 0.5,
        *,
        n_frequent: int | None = None,
        regularization: float = 1e-5,
        output: str = "all",
    ) -> None:
        self.n_layers = n_layers
        self.noise = noise
        self.n_frequent = n_frequent
        self.regularization = regularization
        self.output = output

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the layers.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows of all domains.
        y : object, default=None
            Ignored.

        Returns
        -------
        MSDATransformer
            The fitted transformer.

        Raises
        ------
        ValueError
            If X is not a finite matrix, or a parameter is out of range.
        """
        self._learn(X)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Learn the layers and return their output, computed once.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows of all domains.
        y : object, default=None
            Ignored.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            As from :meth:`transform`.
        """
        return self._collect(*self._learn(X))

    def transform(self, X: Any) -> Array:
        """Compute the layers.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n, n_features_out)
            Of float64 for float64, float32 otherwise.
        """
        check_is_fitted(self)
        X = self._read(X, reset=False)
        hidden = [X]
        for mapping, intercept in zip(self.mappings_, self.intercepts_, strict=True):
            hidden.append(_layer(hidden[-1], mapping, intercept))
        return self._collect(X, hidden[1:])

    def _read(self, X: Any, *, reset: bool) -> Any:
        return read_array(self, X, reset=reset, accept_sparse=True, allow_nd=False)

    def _learn(self, X: Any) -> tuple[Any, list[Array]]:
        """Fit, and return the input as read and the output of each layer."""
        self._validate_params()
        with rollback(self):
            X = self._read(X, reset=True)
            frequent, blocks = _deal(X, self.n_frequent)
            self.mappings_, self.intercepts_ = [], []
            self.frequent_features_ = frequent
            hidden = [X]
            for _ in range(self.n_layers):
                mapping, intercept = _denoiser(
                    hidden[-1], frequent, blocks, self.noise, self.regularization
                )
                hidden.append(_layer(hidden[-1], mapping, intercept))
                self.mappings_.append(mapping)
                self.intercepts_.append(intercept)
                # Later layers restore all that they get.
                frequent, blocks = _deal(hidden[-1], None)
        return X, hidden[1:]

    def _collect(self, X: Any, hidden: list[Array]) -> Array:
        if self.output == "last":
            return hidden[-1]
        return np.hstack([X.toarray() if sparse.issparse(X) else X, *hidden])

    @property
    def _n_features_out(self) -> int:
        widths = [len(b) for b in self.intercepts_]
        last = self.output == "last"
        return widths[-1] if last else self.n_features_in_ + sum(widths)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _layer(X: Any, mapping: Array, intercept: Array) -> Array:
    h = X @ mapping.T
    h += intercept
    return np.tanh(h, out=h)


def _deal(X: Any, n_frequent: int | None) -> tuple[Array, list[Array]]:
    """Choose the features to restore and the blocks that restore them.

    Features of rank 0, k, 2k, ... in frequency form the first of k blocks, so that
    each has frequent and rare ones.
    """
    n_features = X.shape[1]
    if n_frequent is None or n_frequent >= n_features:
        everything = np.arange(n_features)
        return everything, [everything]
    counts = X.getnnz(axis=0) if sparse.issparse(X) else np.count_nonzero(X, axis=0)
    ranked = np.argsort(-counts, kind="stable")
    n_blocks = -(-n_features // n_frequent)
    blocks = [np.sort(ranked[start::n_blocks]) for start in range(n_blocks)]
    return np.sort(ranked[:n_frequent]), blocks


def _denoiser(
    X: Any, restored: Array, blocks: list[Array], noise: float, ridge: float
) -> tuple[Array, Array]:
    """Return W and b that restore some features, averaged over blocks of inputs."""
    mapping = np.zeros((len(restored), X.shape[1]), dtype=X.dtype)
    means = np.asarray(X.mean(axis=0), dtype=X.dtype).ravel()
    for block in blocks:
        inputs = X[:, block] if len(blocks) > 1 else X
        outputs = X[:, restored] if len(blocks) > 1 else X
        part = _restore(inputs, outputs, 1 - noise, ridge)
        mapping[:, block] = part / len(blocks)
    return mapping, means[restored] - (1 - noise) * (mapping @ means)


def _restore(inputs: Any, outputs: Any, q: float, ridge: float) -> Array:
    """Return W that maps inputs, kept with probability q, to outputs.

    Sums over rows stand for means, hence the ridge is not divided by n.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        system, squares = _scatter(inputs, inputs)
    if not np.isfinite(system.diagonal()).all():
        raise ValueError(
            f"X contains numbers whose squares overflow {system.dtype}. Scale X, or "
            "pass it as float64."
        )
    cross = system if outputs is inputs else _scatter(outputs, inputs)[0]
    right = q * cross.T
    extra = q * (1 - q) * squares + ridge
    # A feature that is always zero is restored as zero and restores nothing.
    extra[extra == 0] = 1
    system *= q * q
    system.flat[:: len(system) + 1] += extra
    # A unit diagonal bounds the eigenvalues from below, by 1 - q.
    scale = 1 / np.sqrt(system.diagonal())
    system *= scale
    system *= scale[:, None]
    right *= scale[:, None]
    factor = cho_factor(system, overwrite_a=True, check_finite=False)
    right = cho_solve(factor, right, overwrite_b=True, check_finite=False)
    right *= scale[:, None]
    return np.ascontiguousarray(right.T)


def _scatter(A: Any, B: Any) -> tuple[Array, Array]:
    """Return the centred cross products of the columns, and sums of squares of A's."""
    if sparse.issparse(A):
        means = [np.asarray(M.mean(axis=0)).ravel() for M in (A, B)]
        products = (A.T @ B).toarray()
        products -= A.shape[0] * np.outer(*means).astype(A.dtype, copy=False)
        return products, np.asarray(A.multiply(A).sum(axis=0), dtype=A.dtype).ravel()
    centred = A - A.mean(axis=0)
    # The same object on both sides lets BLAS compute one half only.
    other = centred if A is B else B - B.mean(axis=0)
    return centred.T @ other, np.einsum("ij,ij->j", A, A)
