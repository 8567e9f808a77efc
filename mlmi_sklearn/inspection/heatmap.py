"""Where in an image the evidence for the label of its bag lies."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes

from ..containers import Bags, check_bags
from . import _layers
from ._bags import (
    image_in,
    marked_in,
    require_coords,
    scores_of,
    size_of_images,
)
from ._drawing import DIVERGING, SEQUENTIAL, axes_for, caption, label_of, norm_of
from ._estimators import (
    grid_in,
    instance_values,
    position_of,
    predictions,
    reach,
    select,
)

__all__ = ["BagHeatmapDisplay"]

Kind = Literal["auto", "tiles", "points", "smooth"]

_INCHES = 5.2


class BagHeatmapDisplay:
    """Scores of the instances of one bag, drawn where the instances are.

    Tiles become a map of squares, points, such as nuclei, a dot each, or a smooth map.
    Use :meth:`from_estimator` or :meth:`from_scores` to make one.

    Parameters
    ----------
    scores : array-like of shape (n_instances,)
        Scores of the instances of the bag.
    coords : array-like of shape (n_instances, 2)
        Place of the instances, x and y, in pixels of the image.
    tile_size : int or (int, int), default=None
        Height and width of tiles, whose upper left corners `coords` then are. None:
        `coords` are points.
    image : array-like of shape (height, width) or (height, width, 3), default=None
        What to draw under the scores.
    image_scale : float, default=1.0
        Pixels of `coords` for each pixel of `image`; above 1 for a reduced image.
    marked : array-like of bool of shape (n_instances,), default=None
        Instances to outline: those whose true label is positive.
    center : float, default=None
        Score at which the decision changes: it gets the middle of diverging colours.
        None: colours run from the lowest to the highest score.
    name : str, default="Instance score"
        Label of the colour bar.
    title : str, default=None
        Title of the plot.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes drawn into.
    figure_ : matplotlib Figure
        Its figure.
    artist_ : matplotlib ScalarMappable
        The map or the dots.
    colorbar_ : matplotlib Colorbar or None
        The colour bar.

    Raises
    ------
    ValueError
        If shapes disagree or instances lie outside the image.

    See Also
    --------
    scores_to_map : The map as an array.
    TopInstancesDisplay : The instances with the highest scores.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from mlmi_sklearn.inspection import BagHeatmapDisplay
    >>> display = BagHeatmapDisplay([2.0, -1.0], [[0, 0], [8, 0]], tile_size=8)
    >>> display.plot().artist_.get_array().shape
    (8, 16)
    """

    def __init__(
        self,
        scores: Any,
        coords: Any,
        *,
        tile_size: int | tuple[int, int] | None = None,
        image: Any = None,
        image_scale: float = 1.0,
        marked: Any = None,
        center: float | None = None,
        name: str = "Instance score",
        title: str | None = None,
    ) -> None:
        self.scores = scores
        self.coords = coords
        self.tile_size = tile_size
        self.image = image
        self.image_scale = image_scale
        self.marked = marked
        self.center = center
        self.name = name
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        bags: Any,
        index: int | str = 0,
        image: Any = None,
        *,
        method: str = "instance_scores",
        class_index: int | None = None,
        y: Any = None,
        instance_label: float = 1,
        tile_size: Any = None,
        image_scale: float = 1.0,
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> BagHeatmapDisplay:
        """Draw what a fitted estimator says about the instances of one bag.

        Parameters
        ----------
        estimator : estimator
            Fitted, with the given method. In a Pipeline the last step has it, and the
            steps before prepare the bag; of a search the best estimator is taken.
        bags : Bags or what else the estimator takes
            With `coords`, unless a :class:`~mlmi_sklearn.TileGrid` in the Pipeline
            makes them; then this is the list of images.
        index : int or str, default=0
            Which bag: its number, or its bag id as text.
        image : array-like, default=None
            What to draw under the scores. None: where a TileGrid is the first step, the
            image itself, read from afar.
        method : str, default="instance_scores"
            ``"instance_scores"``, ``"predict_instances_proba"``, ``"attention"`` or
            another method that returns one array a bag.
        class_index : int, default=None
            Position in ``classes_`` where there is one value for each class. None: the
            second class of two, the predicted class of several.
        y : array-like of shape (n_bags,), default=None
            Labels of bags, for the title.
        instance_label : int, default=1
            Instances with this label in ``bags.y_instances`` are outlined.
        tile_size : int or (int, int), default=None
            Size of tiles. None: that of a TileGrid in the Pipeline or of instances that
            are images; otherwise instances are points.
        image_scale : float, default=1.0
            Pixels of `coords` for each pixel of `image`.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **plot_options : dict
            Passed to :meth:`plot`.

        Returns
        -------
        BagHeatmapDisplay
            The display, drawn.

        Raises
        ------
        BagError
            If there is no such bag, or its instances have no coordinates.
        TypeError
            If the estimator has no such method.

        Examples
        --------
        >>> import matplotlib, numpy as np
        >>> matplotlib.use("Agg")
        >>> from mlmi_sklearn import Bags, MILClassifier
        >>> from mlmi_sklearn.inspection import BagHeatmapDisplay
        >>> rng = np.random.default_rng(0)
        >>> bags = Bags(
        ...     rng.normal(size=(40, 3)), [10] * 4, coords=rng.uniform(0, 50, (40, 2))
        ... )
        >>> model = MILClassifier(max_epochs=2).fit(bags, [0, 1, 0, 1])
        >>> display = BagHeatmapDisplay.from_estimator(model, bags, index=3)
        >>> display.ax_.get_title()
        'Bag 3 · P(1) = 0...'
        """
        number = position_of(bags, index)
        label = label_of(y, number, len(bags))
        grid, first = grid_in(estimator)
        if image is None and grid is not None and first:
            image, image_scale = image_in(bags, number, grid)
        if tile_size is None and grid is not None and grid.tile_shape_ is not None:
            tile_size = grid.tile_shape_[-2:]
        final, bag = reach(estimator, select(bags, [number]))
        require_coords(bag)
        if tile_size is None and len(bag.instance_shape) > 1:
            tile_size = size_of_images(bag.instance_shape)
        scored = instance_values(final, bag, method, class_index)
        if method == "predict_instances_proba":
            plot_options = {"vmin": 0.0, "vmax": 1.0, **plot_options}
        elif method == "attention":
            top = float(scored.values.max())
            plot_options = {"vmin": 0.0, "vmax": top, **plot_options}
        bag_id = None if bag.bag_ids is None else bag.bag_ids[0]
        display = cls(
            scored.values,
            bag.coords,
            tile_size=tile_size,
            image=image,
            image_scale=image_scale,
            marked=marked_in(bag, instance_label),
            center=scored.center,
            name=scored.name,
            title=" · ".join(
                caption(number, bag_id, label, predictions(final, bag)[0])
            ),
        )
        return display.plot(ax, **plot_options)

    @classmethod
    def from_scores(
        cls,
        scores: Any,
        bags: Bags,
        index: int | str = 0,
        image: Any = None,
        *,
        y: Any = None,
        instance_label: float = 1,
        tile_size: Any = None,
        image_scale: float = 1.0,
        center: float | None = None,
        name: str = "Instance score",
        ax: Axes | None = None,
        **plot_options: Any,
    ) -> BagHeatmapDisplay:
        """Draw scores that were computed before, for instance out of fold.

        Parameters
        ----------
        scores : list of ndarray of shape (n_instances,), or one flat ndarray
            Scores of the instances of all bags.
        bags : Bags
            The bags, with `coords`.
        index : int or str, default=0
            Which bag.
        image : array-like or None, default=None
            What to draw under the scores.
        y : array-like of shape (n_bags,), default=None
            Labels of bags.
        instance_label : int, default=1
            Label of the instances to outline.
        tile_size : int or (int, int), default=None
            Size of tiles; like the others as in :meth:`from_estimator`.
        image_scale : float, default=1.0
            Pixels of `coords` for each pixel of `image`.
        center : float, default=None
            Score at which the decision changes.
        name : str, default="Instance score"
            Label of the colour bar.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        **plot_options : dict
            Passed to :meth:`plot`.

        Returns
        -------
        BagHeatmapDisplay
            The display, drawn.

        Raises
        ------
        BagError
            If there is no such bag, its instances have no coordinates, or there is not
            one score for each instance.

        Examples
        --------
        >>> import matplotlib, numpy as np
        >>> matplotlib.use("Agg")
        >>> from mlmi_sklearn import Bags
        >>> from mlmi_sklearn.inspection import BagHeatmapDisplay
        >>> bags = Bags(np.ones((3, 2)), [2, 1], coords=[[5, 9], [7, 2], [3, 3]])
        >>> display = BagHeatmapDisplay.from_scores([0.2, 0.9, 0.5], bags, index=0)
        >>> display.ax_.get_title()
        'Bag 0'
        """
        bags = check_bags(bags)
        number = position_of(bags, index)
        bag = bags[[number]]
        require_coords(bag)
        if tile_size is None and len(bag.instance_shape) > 1:
            tile_size = size_of_images(bag.instance_shape)
        parts = caption(
            number,
            None if bag.bag_ids is None else bag.bag_ids[0],
            label_of(y, number, len(bags)),
            None,
        )
        display = cls(
            scores_of(scores, bags, number),
            bag.coords,
            tile_size=tile_size,
            image=image,
            image_scale=image_scale,
            marked=marked_in(bag, instance_label),
            center=center,
            name=name,
            title=" · ".join(parts),
        )
        return display.plot(ax, **plot_options)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Kind = "auto",
        cmap: Any = None,
        alpha: float | None = None,
        vmin: float | None = None,
        vmax: float | None = None,
        radius: float | None = None,
        reduce: Literal["mean", "max"] = "mean",
        colorbar: bool = True,
    ) -> BagHeatmapDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.
        kind : {"auto", "tiles", "points", "smooth"}, default="auto"
            ``"auto"`` draws tiles where `tile_size` is known and points elsewhere;
            ``"smooth"`` averages points with a Gaussian.
        cmap : str or Colormap, default=None
            Colours. None: diverging around `center`, or sequential without one.
        alpha : float, default=None
            Opacity of maps, 0 to 1. None: 0.6 over an image, 1 without.
        vmin, vmax : float, default=None
            Ends of the colours. None: the scores without the outermost 1 %.
        radius : float, default=None
            Radius of points, or standard deviation of the Gaussian, in pixels. None: by
            the distance between neighbours.
        reduce : {"mean", "max"}, default="mean"
            What to do where tiles overlap.
        colorbar : bool, default=True
            Whether to draw the colour bar.

        Returns
        -------
        BagHeatmapDisplay
            The display itself.
        """
        layers = _layers.Layers.of(self)
        ratio = layers.shape[0] / layers.shape[1]
        size = (_INCHES + 1.1, float(np.clip(_INCHES * ratio, 2.4, 9)) + 0.6)
        scale = norm_of(layers.scores, self.center, vmin, vmax)
        cmap = cmap or (SEQUENTIAL if self.center is None else DIVERGING)
        ax = axes_for(ax, size)
        layers.draw_image(ax)
        self.artist_ = layers.draw_scores(
            ax, kind, {"cmap": cmap, "norm": scale[0], "alpha": alpha}, radius, reduce
        )
        layers.draw_marks(ax, kind, radius)
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = ax.figure.colorbar(
                self.artist_,
                ax=ax,
                extend=scale[1],
                label=self.name,
                shrink=0.85,
            )
        if self.title is not None:
            ax.set_title(self.title, fontsize=11)
        self.ax_, self.figure_ = ax, ax.figure
        return self
