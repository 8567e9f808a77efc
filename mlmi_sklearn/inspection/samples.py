"""Real and synthetic samples side by side: the first thing to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from mlmi_sklearn.inspection._sample_panels import (
    coordinates_of,
    draw_mosaic,
    draw_points,
    range_of,
    resolve_columns,
)
from mlmi_sklearn.inspection._synthetic import (
    as_rows,
    check_count,
    draw_like,
    group_codes,
    reach_sampler,
    rows_at_random,
    take,
)

__all__ = ["SampleGridDisplay"]

Array = NDArray[Any]

_TITLES = ("Real", "Synthetic")
# Rows of a grid of images: for groups, at most, and for images without one.
_MOST_ROWS, _WRAPPED = 12, 4


class SampleGridDisplay:
    """Real samples on the left, synthetic ones on the right, in the same arrangement.

    Images stand in a grid with a row for each class; of a table two columns are drawn
    against each other, or one by class. Both sides have one scale of grey values, or of
    the axes. Use :meth:`from_estimator` or :meth:`from_data` to make one.

    Parameters
    ----------
    real, synthetic : ndarray or DataFrame of shape (n, ...) and (m, ...)
        What is shown: images (n, H, W) or (n, C, H, W), volumes (n, C, D, H, W), of
        which the middle slice is shown, or rows of a table.
    groups_real, groups_synthetic : ndarray of int of shape (n,) and (m,)
        Group of each.
    names : list of str
        Names of the groups.
    n_columns : int, default=6
        Images in a row of the grid.
    columns : list of int, default=None
        Positions of one column or two of a table.

    Attributes
    ----------
    axes_ : dict of str to matplotlib Axes
        ``"real"`` and ``"synthetic"``.
    ax_ : matplotlib Axes
        That of the synthetic samples.
    figure_ : matplotlib Figure
        Their figure.

    See Also
    --------
    CoverageDisplay : Which real samples have synthetic ones near them.

    Notes
    -----
    Samples that look right may all be alike, or copies. What pictures do not tell,
    :func:`~mlmi_sklearn.metrics.evaluate_synthetic` does.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.mixture import GaussianMixture
    >>> from mlmi_sklearn.inspection import SampleGridDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> mixture = GaussianMixture(3, random_state=0).fit(X)
    >>> shown = SampleGridDisplay.from_estimator(mixture, X, columns=[2, 3])
    >>> list(shown.axes_)
    ['real', 'synthetic']
    """

    def __init__(
        self,
        *,
        real: Any,
        synthetic: Any,
        groups_real: Array,
        groups_synthetic: Array,
        names: list[str],
        n_columns: int = 6,
        columns: list[int] | None = None,
    ) -> None:
        self.real = real
        self.synthetic = synthetic
        self.groups_real = groups_real
        self.groups_synthetic = groups_synthetic
        self.names = names
        self.n_columns = n_columns
        self.columns = columns

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        condition: Any = None,
        n_columns: int = 6,
        columns: Any = None,
        max_points: int = 500,
        random_state: Any = 0,
        ax: Any = None,
        cmap: str = "gray",
    ) -> SampleGridDisplay:
        """Show real samples, and one drawn for the condition of each.

        Parameters
        ----------
        estimator : estimator with ``sample``
            A fitted ``CGANSampler``, or another such as scikit-learn's
            ``GaussianMixture``; of a search the best estimator is taken.
        X : DataFrame or array-like of shape (n, ...)
            Real samples.
        y : array-like of shape (n,) or (n, k), default=None
            Their conditions, which are asked of the estimator. One column makes groups:
            classes, or quarters of numbers.
        condition : array-like of shape (n, ...), default=None
            Further conditions, as in ``fit``.
        n_columns : int, default=6
            Images in a row of the grid.
        columns : one or two of str or int, default=None
            Which columns of a table to draw, as in :meth:`from_data`.
        max_points : int, default=500
            Rows of a table shown at most, on each side.
        random_state : int, RandomState instance or None, default=0
            Determines the real samples shown, and the synthetic ones.
        ax : matplotlib Axes or None, default=None
            Where to draw, see :meth:`plot`. None makes a figure.
        cmap : str, default="gray"
            Colour map of grey images.

        Returns
        -------
        SampleGridDisplay
            Drawn. The j-th synthetic image of a row has the condition of the j-th real.

        Raises
        ------
        TypeError
            If the estimator has no ``sample``, or that takes no ``condition``.
        ValueError
            If lengths differ or an option is out of its range.
        """
        sampler, X = reach_sampler(estimator), as_rows(X, "X")
        names, (codes,) = group_codes(y, None, len(X))
        most = _most(X, n_columns, max_points)
        rng = check_random_state(random_state)
        rows = _rows_to_show(X, codes, len(names), most, rng)
        asked = take(y, rows)
        seed = int(rng.randint(2**31 - 1))
        made, obeyed = draw_like(sampler, len(rows), asked, take(condition, rows), seed)
        codes = codes[rows]
        if obeyed is None:
            names, codes = [""], np.zeros_like(codes)
        display = cls(
            real=take(X, rows),
            synthetic=as_rows(made, "the result of sample"),
            groups_real=codes,
            groups_synthetic=codes,
            names=names,
            n_columns=n_columns,
            columns=resolve_columns(X, columns) if X.ndim == 2 else None,
        )
        return display.plot(ax=ax, cmap=cmap)

    @classmethod
    def from_data(
        cls,
        X: Any,
        X_synthetic: Any,
        y: Any = None,
        y_synthetic: Any = None,
        *,
        n_columns: int = 6,
        columns: Any = None,
        max_points: int = 500,
        random_state: Any = 0,
        ax: Any = None,
        cmap: str = "gray",
    ) -> SampleGridDisplay:
        """Show real samples beside synthetic ones that exist already.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, ...)
            Real samples.
        X_synthetic : DataFrame or array-like of shape (m, ...)
            Synthetic ones.
        y, y_synthetic : array-like of shape (n,) and (m,), default=None
            Classes or numbers of both, or of none.
        n_columns : int, default=6
            Images in a row of the grid.
        columns : one or two of str or int, default=None
            Which columns of a table to draw, by name or position: two against each
            other, or one by class. None: the first two.
        max_points : int, default=500
            Rows of a table shown at most, on each side.
        random_state : int, RandomState instance or None, default=0
            Determines which samples are shown.
        ax : matplotlib Axes or None, default=None
            Where to draw, see :meth:`plot`. None makes a figure.
        cmap : str, default="gray"
            Colour map of images with one channel.

        Returns
        -------
        SampleGridDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If real and synthetic samples have different shapes, only one of them has
            labels, or an option is out of its range.
        """
        X, made = as_rows(X, "X"), as_rows(X_synthetic, "X_synthetic")
        if X.shape[1:] != made.shape[1:]:
            raise ValueError(
                f"X has samples of shape {X.shape[1:]}, X_synthetic of "
                f"{made.shape[1:]}; they must agree."
            )
        if (y is None) != (y_synthetic is None):
            raise ValueError("Pass both of y and y_synthetic, or none of them.")
        if y_synthetic is not None and len(y_synthetic) != len(made):
            raise ValueError(
                f"X_synthetic has {len(made)} rows, but y_synthetic has "
                f"{len(y_synthetic)} entries."
            )
        names, found = group_codes(y, y_synthetic, len(X))
        codes = found if len(found) == 2 else [found[0], np.zeros(len(made), dtype=int)]
        most = _most(X, n_columns, max_points)
        rng = check_random_state(random_state)
        rows = [
            _rows_to_show(part, groups, len(names), most, rng)
            for part, groups in zip((X, made), codes, strict=True)
        ]
        display = cls(
            real=take(X, rows[0]),
            synthetic=take(made, rows[1]),
            groups_real=codes[0][rows[0]],
            groups_synthetic=codes[1][rows[1]],
            names=names,
            n_columns=n_columns,
            columns=resolve_columns(X, columns) if X.ndim == 2 else None,
        )
        return display.plot(ax=ax, cmap=cmap)

    def plot(self, *, ax: Any = None, cmap: str = "gray") -> SampleGridDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of two of them, default=None
            Where to draw: axes for real and for synthetic samples, or one whose place
            the two will share. None makes a figure.
        cmap : str, default="gray"
            Colours of images with one channel.

        Returns
        -------
        SampleGridDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `ax` holds another number of axes than one or two.
        """
        images = self.real.ndim > 2
        places = _two_axes(ax, self._size(images))
        self.axes_ = dict(zip(("real", "synthetic"), places, strict=True))
        self.ax_, self.figure_ = places[1], places[0].figure
        (self._draw_images if images else self._draw_table)(places, cmap)
        for place, title in zip(places, _TITLES, strict=True):
            place.set_title(title)
        return self

    def _size(self, images: bool) -> tuple[float, float]:
        """Return a size of the figure, in inches."""
        if not images:
            return 8.0, 3.8
        n = max(len(self.real), len(self.synthetic))
        rows = len(self.names) if len(self.names) > 1 else -(-n // self.n_columns)
        height, width = self.real.shape[-2:]
        cell = min(0.7, 5.0 / self.n_columns)
        tall = cell * min(max(height / width, 0.3), 3.0)
        return 2 * self.n_columns * cell + 1.2, rows * tall + 0.6

    def _draw_images(self, places: list[Axes], cmap: str) -> None:
        limits = range_of(np.asarray(self.real))
        sides = (self.real, self.groups_real), (self.synthetic, self.groups_synthetic)
        for number, (place, (images, groups)) in enumerate(
            zip(places, sides, strict=True)
        ):
            middles = draw_mosaic(place, images, groups, self.n_columns, limits, cmap)
            if number == 0 and len(self.names) > 1:
                place.set_yticks(middles, self.names[: len(middles)])
                place.tick_params(length=0)

    def _draw_table(self, places: list[Axes], cmap: str) -> None:
        tables = (self.real, self.synthetic)
        groups = (self.groups_real, self.groups_synthetic)
        found = [coordinates_of(tables, column) for column in self.columns or [0]]
        if len(found) == 1:
            spread = [_strip(codes) for codes in groups]
            found.append((spread, "", self.names))
        for number, place in enumerate(places):
            x, y = (values[number] for values, *_ in found)
            draw_points(place, x, y, groups[number], self.names)
            for axis, (values, name, words) in zip("xy", found, strict=True):
                _finish_axis(place, axis, np.concatenate(values), name, words)
            if number:
                place.tick_params(labelleft=False)
                place.set_ylabel("")
                if len(self.columns or [0]) == 2:
                    self._add_legend(place)

    def _add_legend(self, place: Axes) -> None:
        handles, labels = place.get_legend_handles_labels()
        if handles:
            place.legend(
                handles, labels, loc="upper left", bbox_to_anchor=(1.0, 1.0),
                frameon=False, markerscale=1.5,
            )  # fmt: skip


def _most(X: Any, n_columns: Any, max_points: Any) -> int:
    """Return rows to show at most, of a table in all, of images in a group."""
    columns = check_count(n_columns, "n_columns")
    points = check_count(max_points, "max_points")
    return points if X.ndim == 2 else columns


def _rows_to_show(X: Any, codes: Array, n_groups: int, most: int, rng: Any) -> Array:
    """Choose rows of a table at random, or so many images of each group in order."""
    if X.ndim == 2:
        return rows_at_random(len(X), most, rng)
    order = rows_at_random(len(X), len(X), rng)
    if n_groups == 1:
        return order[: most * _WRAPPED]
    if n_groups > _MOST_ROWS:
        raise ValueError(
            f"y has {n_groups} classes, too many for a grid of {_MOST_ROWS} rows. Pass "
            "samples of some classes only."
        )
    picked = [order[codes[order] == group][:most] for group in range(n_groups)]
    return np.concatenate(picked)


def _strip(codes: Array) -> Array:
    rng = np.random.default_rng(1)
    return np.asarray(codes + rng.uniform(-0.3, 0.3, len(codes)))


def _finish_axis(place: Axes, axis: str, values: Array, name: str, words: Any) -> None:
    """Name an axis, and give both sides the same limits."""
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.5
    place.set(**{f"{axis}lim": (low - margin, high + margin), f"{axis}label": name})
    if len(words) > 1 or (words and words[0]):
        getattr(place, f"set_{axis}ticks")(range(len(words)), words)
    elif words:
        getattr(place, f"set_{axis}ticks")([])


def _two_axes(ax: Any, figsize: tuple[float, float]) -> list[Axes]:
    """Return axes for real and for synthetic samples."""
    if ax is None:
        # Only here, so that drawing into given axes leaves pyplot as it is.
        import matplotlib.pyplot as plt

        return list(plt.subplots(1, 2, figsize=figsize, layout="constrained")[1])
    given = [ax] if isinstance(ax, Axes) else list(np.ravel(np.asarray(ax, object)))
    if len(given) == 2:
        return given
    if len(given) != 1:
        raise ValueError(f"ax must be one Axes or two, got {len(given)}.")
    given[0].set_axis_off()
    return [given[0].inset_axes((left, 0.0, 0.48, 1.0)) for left in (0.0, 0.52)]
