"""Which real samples have synthetic ones near them, in a plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mlmi_sklearn.inspection._drawing import axes_for
from mlmi_sklearn.inspection._projections import METHODS, project
from mlmi_sklearn.inspection._synthetic import (
    as_rows,
    check_count,
    draw_like,
    reach_sampler,
    rows_at_random,
    take,
)
from mlmi_sklearn.metrics import prdc
from mlmi_sklearn.metrics.synthetic._distances import (
    TIES,
    distance_blocks,
    neighbours,
)
from mlmi_sklearn.metrics.synthetic._features import feature_arrays

__all__ = ["CoverageDisplay"]

Array = NDArray[Any]

_COVERED, _MISSED, _MADE, _UNREAL = "#9ecae1", "#D55E00", "#1B3A57", "#000000"


class CoverageDisplay:
    """Real and synthetic samples in a plane; real ones far from any synthetic one.

    A real sample is *covered* if a synthetic one lies no further off than its k-th
    nearest real neighbour; a synthetic one is *realistic* if it lies as near as that to
    any real one. That is decided by all features, not by the plane. Real samples that
    are not covered, in one corner, are a mode that was lost; synthetic ones that are
    not realistic lie where no real data are. Use :meth:`from_estimator` or
    :meth:`from_data` to make one.

    Parameters
    ----------
    real, synthetic : ndarray of shape (n, 2) and (m, 2)
        Places in the plane.
    covered : ndarray of bool of shape (n,)
        Which real samples are covered.
    realistic : ndarray of bool of shape (m,)
        Which synthetic samples are realistic.
    scores : dict of str to float
        What :func:`~mlmi_sklearn.metrics.prdc` says of all that is shown.
    names : (str, str), default=("", "")
        Names of the axes.
    rows : ndarray of int of shape (n,), default=None
        Which rows of the data the real samples are; None: all, in order.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    mlmi_sklearn.metrics.prdc : The figures in the title of the legend.
    mlmi_sklearn.metrics.mode_collapse_report : Says whether a mode was lost.

    References
    ----------
    Naeem et al., *Reliable fidelity and diversity metrics for generative models*, ICML
    2020.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from mlmi_sklearn.inspection import CoverageDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> shown = CoverageDisplay.from_data(X, X[y > 0] + 0.05)  # the first class is lost
    >>> bool(shown.covered[y[shown.rows] == 0].mean() < 0.05)
    True
    """

    def __init__(
        self,
        *,
        real: Array,
        synthetic: Array,
        covered: Array,
        realistic: Array,
        scores: Mapping[str, float],
        names: tuple[str, str] = ("", ""),
        rows: Any = None,
    ) -> None:
        self.real = real
        self.synthetic = synthetic
        self.covered = covered
        self.realistic = realistic
        self.scores = scores
        self.names = names
        self.rows = np.arange(len(real)) if rows is None else rows

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        condition: Any = None,
        n_neighbors: int = 5,
        projection: str = "pca",
        features: Any = None,
        max_points: int = 1000,
        random_state: Any = 0,
        ax: Any = None,
    ) -> CoverageDisplay:
        """Show real samples, and one drawn for the condition of each.

        Parameters
        ----------
        estimator : estimator with ``sample``
            A fitted ``CGANSampler``, or another such as scikit-learn's
            ``GaussianMixture``; of a search the best estimator is taken.
        X : DataFrame or array-like of shape (n, ...)
            Real samples, best such as training has not seen.
        y : array-like of shape (n,) or (n, k), default=None
            Their conditions, which are asked of the estimator.
        condition : array-like of shape (n, ...), default=None
            Further conditions, as in ``fit``.
        n_neighbors : int, default=5
            As in :meth:`from_data`, like what follows.
        projection : {"pca", "tsne"}, default="pca"
            How samples come into a plane.
        features : None, "robust", "raw", callable or transformer, default=None
            Space in which samples are compared.
        max_points : int, default=1000
            Rows shown at most, on each side.
        random_state : int, RandomState instance or None, default=0
            Determines the rows shown, and the synthetic ones.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        CoverageDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the estimator has no ``sample``, or that takes no ``condition``.
        ValueError
            If lengths differ or an option is out of its range.
        """
        sampler, X = reach_sampler(estimator), as_rows(X, "X")
        if y is not None and len(y) != len(X):
            raise ValueError(f"X has {len(X)} rows, but y has {len(y)} entries.")
        rng = check_random_state(random_state)
        rows = rows_at_random(len(X), check_count(max_points, "max_points"), rng)
        seed = int(rng.randint(2**31 - 1))
        asked, beside = take(y, rows), take(condition, rows)
        made, _ = draw_like(sampler, len(rows), asked, beside, seed)
        display = cls.from_data(
            take(X, rows),
            made,
            n_neighbors=n_neighbors,
            projection=projection,
            features=features,
            max_points=max_points,
            random_state=random_state,
            ax=ax,
        )
        display.rows = rows[display.rows]
        return display

    @classmethod
    def from_data(
        cls,
        X: Any,
        X_synthetic: Any,
        *,
        n_neighbors: int = 5,
        projection: str = "pca",
        features: Any = None,
        max_points: int = 1000,
        random_state: Any = 0,
        ax: Any = None,
    ) -> CoverageDisplay:
        """Show real samples and synthetic ones that exist already.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, ...)
            Real samples.
        X_synthetic : DataFrame or array-like of shape (m, ...)
            Synthetic ones.
        n_neighbors : int, default=5
            How many real neighbours the ball of a real sample holds.
        projection : {"pca", "tsne"}, default="pca"
            How samples come into a plane; two features are shown as they are.
        features : None, "robust", "raw", callable or transformer, default=None
            See :func:`~mlmi_sklearn.metrics.robust_features`.
        max_points : int, default=1000
            Samples of either kind at most. The larger set is cut to the size of the
            smaller, since the figures depend on sizes.
        random_state : int, RandomState instance or None, default=0
            Determines the samples shown, and t-SNE.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        CoverageDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If columns differ, an option is out of its range, or there are no more
            samples than `n_neighbors`.
        """
        if projection not in METHODS:
            raise ValueError(
                f"projection must be one of {[*METHODS]}, got {projection!r}."
            )
        most = check_count(max_points, "max_points")
        real, made = feature_arrays({"X": X, "X_synthetic": X_synthetic}, features)
        rng = check_random_state(random_state)
        size = min(len(real), len(made), most)
        rows, others = (rows_at_random(len(part), size, rng) for part in (real, made))
        real, made = real[rows], made[others]
        scores = prdc(real, made, n_neighbors=n_neighbors, features="raw")
        covered, realistic = _inside(real, made, n_neighbors)
        seed = int(rng.randint(2**31 - 1))
        places, names = project(np.concatenate([real, made]), projection, seed)
        display = cls(
            real=places[:size],
            synthetic=places[size:],
            covered=covered,
            realistic=realistic,
            scores=scores,
            names=names,
            rows=rows,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: Any = None) -> CoverageDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        CoverageDisplay
            The display itself.
        """
        self.ax_ = ax = axes_for(ax, (7.2, 4.4))
        self.figure_ = ax.figure
        hit, miss = self.real[self.covered], self.real[~self.covered]
        good, bad = self.synthetic[self.realistic], self.synthetic[~self.realistic]
        parts: list[tuple[Array, str, dict[str, Any]]] = [
            (hit, "real, covered", {"c": _COVERED, "s": 26}),
            (good, "synthetic, realistic", {"c": _MADE, "marker": "^", "s": 7}),
            (bad, "synthetic, not realistic", {"c": _UNREAL, "marker": "x", "s": 14}),
            (
                miss,
                "real, not covered",
                {"edgecolors": _MISSED, "facecolors": "none", "s": 34, "lw": 1.4},
            ),
        ]
        for points, name, style in parts:
            style = {"linewidths": style.pop("lw", 0.7), **style}
            ax.scatter(*points.T, label=f"{name} ({len(points)})", **style)
        ax.set(xlabel=self.names[0], ylabel=self.names[1])
        if not any(self.names):  # directions of t-SNE mean nothing
            ax.set(xticks=[], yticks=[])
        ax.spines[["top", "right"]].set_visible(False)
        words = ", ".join(f"{name} {value:.2f}" for name, value in self.scores.items())
        # Above, where it meets no neighbour in a row of axes.
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, ncols=2,
            title=words, fontsize="small", title_fontsize="small",
        )  # fmt: skip
        return self


def _inside(real: Array, made: Array, k: int) -> tuple[Array, Array]:
    """Return which real rows are covered, and which synthetic ones realistic."""
    reach = neighbours(real, real, k, same=True)[:, -1] * TIES
    covered, realistic = np.zeros(len(real), bool), np.zeros(len(made), bool)
    for rows, block in distance_blocks(real, made):
        inside = block <= reach[rows, None]
        covered[rows] = inside.any(axis=1)
        realistic |= inside.any(axis=0)
    return covered, realistic
