"""Which instances made a bag what it is: the picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ..containers import Bags
from ._cells import Box, draw_features, draw_picture
from ._drawing import NEGATIVE, POSITIVE, axes_for, caption, label_of
from ._estimators import name_of, predictions, reach, select
from .top import chosen_numbers, table_of

__all__ = ["TopInstancesDisplay"]

Array = NDArray[Any]

# In inches of a figure of its own; in other axes everything scales.
_PICTURE, _BARS, _GAP = 0.9, 2.3, 0.16
_BAR, _CAPTION, _TEXT = 0.17, 0.27, 1.55

_FIRST_BAGS = 5


class TopInstancesDisplay:
    """The instances of each bag that score highest, best first, one row a bag.

    Instances that are images are shown; of vectors, the features that deviate most
    from the mean over all instances, in standard deviations. Frames tell the true label
    where it is known. Use :meth:`from_estimator` to make one.

    Parameters
    ----------
    table : DataFrame
        As from :func:`top_instances`.
    instances : array-like of shape (n_rows, ...)
        The instance of each row: an image of shape (height, width), (channels, height,
        width) or (height, width, 3), or a vector.
    captions : sequence of sequence of str, default=None
        Lines of text beside each bag. None: its number.
    feature_names : sequence of str, default=None
        Names of features of vectors.
    reference : (ndarray, ndarray), default=None
        Mean and standard deviation of the features. None: of the instances shown.
    instance_label : int, default=1
        Label in the column ``y_instance`` that counts as positive.
    name : str, default="Instance score"
        What the numbers under the instances are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn into.
    figure_ : matplotlib Figure
        Its figure.

    Raises
    ------
    ValueError
        If there is not one instance for each row of the table.

    See Also
    --------
    top_instances : The same as a table.
    BagHeatmapDisplay : All instances, where they are in an image.

    Examples
    --------
    >>> import matplotlib, numpy as np, pandas as pd
    >>> matplotlib.use("Agg")
    >>> from mlmi_sklearn.inspection import TopInstancesDisplay
    >>> table = pd.DataFrame({"bag": [0, 0], "rank": [1, 2], "score": [2.5, 0.1]})
    >>> display = TopInstancesDisplay(table, np.zeros((2, 8, 8))).plot()
    >>> len(display.ax_.images)
    2
    """

    def __init__(
        self,
        table: pd.DataFrame,
        instances: Any,
        *,
        captions: Any = None,
        feature_names: Any = None,
        reference: Any = None,
        instance_label: float = 1,
        name: str = "Instance score",
    ) -> None:
        self.table = table
        self.instances = instances
        self.captions = captions
        self.feature_names = feature_names
        self.reference = reference
        self.instance_label = instance_label
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        bags: Any,
        k: int = 5,
        *,
        indices: Any = None,
        method: str = "instance_scores",
        class_index: int | None = None,
        y: Any = None,
        instance_label: float = 1,
        image_shape: tuple[int, ...] | None = None,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> TopInstancesDisplay:
        """Show what a fitted estimator finds most telling in some bags.

        Parameters
        ----------
        estimator : estimator
            Fitted, with the given method. In a Pipeline the last step has it, and the
            steps before prepare the bags; of a search the best estimator is taken.
        bags : Bags or what else the estimator takes
            The bags. What is shown are the instances before the Pipeline changes them,
            if they are :class:`~mlmi_sklearn.Bags` and it keeps their number.
        k : int, default=5
            Instances shown of each bag; all of a bag that has fewer.
        indices : sequence of int or str, default=None
            Which bags, by number or bag id. None: the first five.
        method : str, default="instance_scores"
            ``"instance_scores"``, ``"predict_instances_proba"``, ``"attention"`` or
            another method that returns one array a bag.
        class_index : int, default=None
            Position in ``classes_`` where there is one value for each class. None: the
            second class of two, the predicted class of several.
        y : array-like of shape (n_bags,), default=None
            Labels of bags, for the captions.
        instance_label : int, default=1
            Label in ``bags.y_instances`` that counts as positive.
        image_shape : tuple of int, default=None
            Shape of instances that are flattened images, such as (8, 8).
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **plot_options : dict
            Passed to :meth:`plot`.

        Returns
        -------
        TopInstancesDisplay
            The display, drawn.

        Raises
        ------
        BagError
            If there is no such bag.
        TypeError
            If the estimator has no such method.
        ValueError
            If k is below 1, or `image_shape` does not fit.

        Examples
        --------
        >>> import matplotlib
        >>> matplotlib.use("Agg")
        >>> from mlmi_sklearn import MILClassifier
        >>> from mlmi_sklearn.datasets import make_digit_bags
        >>> from mlmi_sklearn.inspection import TopInstancesDisplay
        >>> bags, y = make_digit_bags(n_bags=20, random_state=0)
        >>> model = MILClassifier(max_epochs=5, random_state=0).fit(bags, y)
        >>> display = TopInstancesDisplay.from_estimator(
        ...     model, bags, k=3, indices=[0, 7], image_shape=(8, 8), y=y
        ... )
        >>> display.table.shape[0]
        6
        """
        numbers = chosen_numbers(
            bags, range(min(_FIRST_BAGS, len(bags))) if indices is None else indices
        )
        labels = [label_of(y, number, len(bags)) for number in numbers]
        given = select(bags, numbers)
        final, chosen = reach(estimator, given)
        table = table_of(final, chosen, numbers, k, method, class_index)
        as_given = isinstance(given, Bags) and np.array_equal(
            given.lengths, chosen.lengths
        )
        source = given if as_given else chosen
        ids = [None] * len(numbers) if chosen.bag_ids is None else chosen.bag_ids
        told = zip(numbers, ids, labels, predictions(final, chosen), strict=True)
        values = _values_of(source, image_shape)
        display = cls(
            table,
            values[_places(table, source)],
            captions=[caption(*parts) for parts in told],
            feature_names=source.feature_names,
            reference=_moments(values) if values.ndim == 2 else None,
            instance_label=instance_label,
            name=name_of(method),
        )
        return display.plot(ax, **plot_options)

    def plot(
        self, ax: Axes | None = None, *, cmap: Any = "gray", n_features: int = 5
    ) -> TopInstancesDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure of the right size.
        cmap : str or Colormap, default="gray"
            Colours of grey images; all have one scale.
        n_features : int, default=5
            Features shown of vectors.

        Returns
        -------
        TopInstancesDisplay
            The display itself.
        """
        instances = self._instances()
        rows = _rows_of(self.table)
        images = instances.ndim > 2
        shown = min(n_features, instances.shape[1])
        width = _PICTURE if images else _BARS
        height = (_PICTURE if images else shown * _BAR) + _CAPTION
        columns = max(len(row) for row in rows)
        size = _TEXT + columns * (width + _GAP), len(rows) * (height + _GAP) + 0.1
        ax = axes_for(ax, size)
        for number, row in enumerate(rows):
            top = number * (height + _GAP)
            self._draw_caption(ax, number, row, top)
            for column, at in enumerate(row.tolist()):
                box = _TEXT + column * (width + _GAP), top, width, height - _CAPTION
                if images:
                    draw_picture(ax, instances[at], box, cmap, _range(instances))
                else:
                    names, reference = self.feature_names, self._reference(instances)
                    draw_features(ax, instances[at], box, names, reference, shown)
                self._draw_frame(ax, at, box, images)
        self._finish(ax, size)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _instances(self) -> Array:
        """Return the instances, one for each row of the table."""
        instances = np.asarray(self.instances)
        if len(instances) != len(self.table) or not len(instances):
            raise ValueError(
                f"instances has {len(instances)} entries, but table has "
                f"{len(self.table)} rows; pass at least one, and one for each row."
            )
        if instances.ndim not in (2, 3, 4):
            raise ValueError(
                f"instances has shape {instances.shape}: neither vectors nor images."
            )
        return instances

    def _reference(self, instances: Array) -> tuple[Array, Array]:
        return _moments(instances) if self.reference is None else self.reference

    def _draw_caption(self, ax: Axes, number: int, row: Array, top: float) -> None:
        """Write beside a row of instances which bag it is."""
        if self.captions is None:
            first, *others = [f"Bag {self.table['bag'].iloc[row[0]]}"]
        else:
            first, *others = self.captions[number]
        ax.text(0, top, first, weight="bold", va="top", fontsize=10)
        ax.text(
            0, top + 0.21, "\n".join(others), va="top", fontsize=9, linespacing=1.35
        )

    def _draw_frame(self, ax: Axes, at: int, box: Box, images: bool) -> None:
        """Frame an instance by its true label, and write its score below."""
        left, top, width, height = box
        label = -1
        if "y_instance" in self.table:
            label = self.table["y_instance"].iloc[at]
        if label != -1 or not images:
            positive = label == self.instance_label
            frame = Rectangle((left, top), width, height, fill=False)
            frame.set(
                ec=POSITIVE if positive else NEGATIVE, lw=2.6 if positive else 0.8
            )
            ax.add_patch(frame)
        score = self.table["score"].iloc[at]
        style: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 9}
        ax.text(left + width / 2, top + height + 0.05, f"{score:.2f}", **style)

    def _finish(self, ax: Axes, size: tuple[float, float]) -> None:
        """Set the limits, and say what numbers and frames mean."""
        ax.set(xlim=(-0.03, size[0]), ylim=(size[1], -0.06), aspect="equal")
        ax.set_axis_off()
        text = f"Number below: {self.name[:1].lower()}{self.name[1:]}"
        handles = []
        if "y_instance" in self.table and (self.table["y_instance"] != -1).any():
            looks = [
                ("truly positive", POSITIVE, 2.6),
                ("truly negative", NEGATIVE, 0.8),
            ]
            handles = [
                Rectangle((0, 0), 1, 1, fill=False, ec=colour, lw=lw, label=name)
                for name, colour, lw in looks
            ]
        y = size[1] - 0.02
        ax.text(0, y, text, va="bottom", fontsize=9, color="0.35")
        if handles:
            ax.legend(
                handles=handles,
                loc="lower right",
                bbox_to_anchor=(1.0, -0.02 / size[1]),
                ncols=2,
                frameon=False,
                fontsize=9,
                borderpad=0,
                borderaxespad=0,
                handlelength=1.1,
                handleheight=1.1,
            )


def _values_of(bags: Bags, image_shape: tuple[int, ...] | None) -> Array:
    """Return the instances, dense, and as images where a shape is given."""
    values = bags.values.toarray() if bags.is_sparse else np.asarray(bags.values)
    if image_shape is None:
        return values
    if len(image_shape) not in (2, 3) or np.prod(image_shape) != bags.n_features:
        raise ValueError(
            f"image_shape={image_shape!r} does not fit instances of "
            f"{bags.n_features} numbers."
        )
    return values.reshape(len(values), *image_shape)


def _places(table: pd.DataFrame, bags: Bags) -> Array:
    """Return where in ``bags.values`` the rows of the table are."""
    row = np.cumsum(table["rank"].to_numpy() == 1) - 1
    return bags.offsets[row] + table["instance"].to_numpy()


def _rows_of(table: pd.DataFrame) -> list[Array]:
    """Cut the rows of the table into those of each bag."""
    starts = np.flatnonzero(table["rank"].to_numpy() == 1)
    return np.split(np.arange(len(table)), starts[1:])


def _moments(values: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of the features."""
    numbers = values.astype(np.float64)
    return numbers.mean(axis=0), numbers.std(axis=0)


def _range(images: Array) -> tuple[float, float]:
    """Return the range of grey values; that of their type for 8-bit images."""
    if images.dtype == np.uint8:
        return 0.0, 255.0
    return float(images.min()), float(images.max())
