"""Cutting images into bags of tiles."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from copy import copy
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from ..components.doclink import DocumentationLink
from ..containers import Bags
from ..containers._store import as_numpy
from ..containers.naming import naming
from ..exceptions import BagError
from ._grid import (
    overview_step,
    strides_of,
    tile_positions,
    tile_size_of,
    tissue_shares,
)
from ._readers import AUTO, check_reader
from ._sources import holds_images, image_names, list_images, opened
from .slides import SlideReader
from .tissue import tissue_mask

__all__ = ["TileGrid"]

Array = NDArray[Any]
Tissue = str | float | Callable[[Array], Array] | None


class TileGrid(  # type: ignore[call-arg]  # a keyword of a base mypy cannot see
    DocumentationLink,
    OneToOneFeatureMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,
):
    """Cut each image into a bag of tiles, leaving out empty glass.

    Every image becomes one bag, its tiles on a regular grid the instances, in the
    layout that convolutional backbones read. The bags know where each tile lies, so
    that scores of tiles can be drawn over the image. Images are read region by region:
    once from afar to find the tissue, then only the tiles that hold some.

    Parameters
    ----------
    tile_size : int or (int, int), default=32
        Height and width of tiles in pixels.
    overlap : int or float, default=0
        What neighbouring tiles share: pixels, or a share of the tile from 0 to below 1.
    tissue : {"otsu", "dark", "bright"}, float, callable or None, default="otsu"
        How tissue is told from glass, see :func:`tissue_mask`. None keeps all tiles.
    min_tissue : float, default=0.5
        Share of a tile, from 0 to 1, that must be tissue for it to be kept.
    max_tiles : int, default=None
        Most tiles kept of an image, chosen at random. None keeps all.
    edge : {"drop", "pad", "shift"}, default="drop"
        What happens at the right and lower border, where no whole tile fits:
        ``"drop"`` leaves it out, ``"pad"`` repeats the border pixels, ``"shift"`` moves
        the last tiles back into the image.
    channel_axis : int or None, default=-1
        Axis of the channels in arrays of three axes; 0 for (channels, height, width).
        None: images have two axes.
    rescale : bool, default=True
        Whether integers become float32 from 0 to 1, by the range of their type. Floats
        stay as they are. False keeps integers, and a quarter of the memory.
    flatten : bool, default=False
        Whether tiles become vectors, as estimators other than convolutional nets need.
    reader : str, callable or None, default="auto"
        Opens a path. ``"auto"`` takes the reader of a plugin that claims the suffix of
        the file, or else what NumPy, scikit-image and Pillow can read; None takes only
        these. The name of a registered reader (``list_components("slide-reader")``)
        takes that one. A callable turns the path into an array or a
        :class:`SlideReader`, through which alone the image is then read.
    reader_params : dict, default=None
        Keyword arguments of the reader, such as the resolution.
    random_state : int, RandomState instance or None, default=None
        Chooses tiles where there are more than ``max_tiles``.

    Attributes
    ----------
    tile_shape_ : tuple of int or None
        Shape of a tile: (height, width), or (channels, height, width). None if fitted
        on a table.
    n_features_in_ : int
        Columns of the table, if fitted on one.
    feature_names_in_ : ndarray of str
        Only if fitted on a table with column names.

    Raises
    ------
    BagError
        From ``fit`` and ``transform``, if X cannot be read as images, an image is
        smaller than a tile, or channels differ.
    FileNotFoundError
        If a path names no file.
    ComponentNotFoundError
        If no reader of that name is registered.

    Warns
    -----
    UserWarning
        If an image has no tile with enough tissue. Its best tile is kept, since a bag
        cannot be empty.

    See Also
    --------
    mlmi_sklearn.inspection.scores_to_map : From scores of tiles back to an image.
    mlmi_sklearn.inspection.BagHeatmapDisplay : Draws them.

    Notes
    -----
    ``coords`` of the bags hold, for each tile, x and y of its upper left pixel, that
    is (column, row), counted from 0: the order of plotting libraries and slide formats.

    Images may differ in size. A plain table of numbers has no pixels and passes through
    unchanged, so a lone grey image must be passed as ``[image]``.

    The same ``random_state`` chooses the same tiles of an image each time, whatever
    other images there are.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn import TileGrid
    >>> image = np.full((64, 96, 3), 240, dtype=np.uint8)  # glass
    >>> image[:, 50:] = (190, 120, 170)  # tissue
    >>> bags = TileGrid(tile_size=32).fit_transform([image])
    >>> bags.instance_shape, bags.coords.tolist()
    ((3, 32, 32), [[64, 0], [64, 32]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "tile_size": [Interval(Integral, 1, None, closed="left"), tuple, list],
        "overlap": [
            Interval(Integral, 0, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="left"),
        ],
        "tissue": [
            StrOptions({"otsu", "dark", "bright"}),
            Interval(Real, 0, 1, closed="both"),
            callable,
            None,
        ],
        "min_tissue": [Interval(Real, 0, 1, closed="both")],
        "max_tiles": [Interval(Integral, 1, None, closed="left"), None],
        "edge": [StrOptions({"drop", "pad", "shift"})],
        "channel_axis": [Interval(Integral, -3, 2, closed="both"), None],
        "rescale": ["boolean"],
        "flatten": ["boolean"],
        "reader": [str, callable, None],
        "reader_params": [dict, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        tile_size: Any = 32,
        *,
        overlap: float = 0,
        tissue: Tissue = "otsu",
        min_tissue: float = 0.5,
        max_tiles: int | None = None,
        edge: str = "drop",
        channel_axis: int | None = -1,
        rescale: bool = True,
        flatten: bool = False,
        reader: str | Callable[[Any], Any] | None = AUTO,
        reader_params: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ) -> None:
        self.tile_size = tile_size
        self.overlap = overlap
        self.tissue = tissue
        self.min_tissue = min_tissue
        self.max_tiles = max_tiles
        self.edge = edge
        self.channel_axis = channel_axis
        self.rescale = rescale
        self.flatten = flatten
        self.reader = reader
        self.reader_params = reader_params
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> TileGrid:
        """Learn the shape of tiles from the first image.

        Parameters
        ----------
        X : sequence of images or paths, array of stacked images, or table
            Arrays of shape (height, width) or (height, width, n_channels), see
            `channel_axis`; paths of image files; or objects with the methods of
            :class:`SlideReader`.
        y : object, default=None
            Not used.

        Returns
        -------
        TileGrid
            The fitted transformer.
        """
        self._validate_params()
        size = tile_size_of(self.tile_size)
        strides_of(size, self.overlap)
        check_reader(self.reader, self.reader_params)
        # On a copy, so that data which is refused leaves a fitted transformer alone.
        seen, shape = copy(self), None
        if holds_images(X):
            images = list_images(X)
            with self._opened(images, 0) as slide:
                shape = (*slide.shape[2:], *size)
        else:
            with naming("X"):
                validate_data(seen, _plain(X))
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)
            if shape is None and hasattr(seen, name):
                setattr(self, name, getattr(seen, name))
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        self._seed, self.tile_shape_ = int(seed), shape
        return self

    def transform(self, X: Any) -> Any:
        """Cut images into tiles.

        Parameters
        ----------
        X : sequence of images or paths, array of stacked images, or table
            As in :meth:`fit`.

        Returns
        -------
        Bags or array
            One bag an image, with `coords`, and with the names of files as `bag_ids`.
            A table is returned as it is.

        Raises
        ------
        BagError
            If X is a table and training saw images, or the other way round.
        """
        check_is_fitted(self)
        if not holds_images(X):
            return self._pass(X)
        if self.tile_shape_ is None:
            raise BagError(
                "X holds images, but TileGrid was fitted on a table. Fit it on images."
            )
        images = list_images(X)
        tiles, coords = zip(
            *(self._tile(images, number) for number in range(len(images))), strict=True
        )
        return Bags(
            np.concatenate(tiles),
            [len(part) for part in tiles],
            coords=np.concatenate(coords),
            bag_ids=image_names(images),
        )

    def set_output(self, *, transform: str | None = None) -> TileGrid:
        """Choose the container of tables that pass through; tiles are :class:`Bags`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            As in scikit-learn; None changes nothing.

        Returns
        -------
        TileGrid
            The transformer itself.
        """
        if transform is not None:
            # Under scikit-learn's name for it, since that is what clone copies.
            self._sklearn_output_config = {"transform": transform}
        return self

    def _opened(
        self, images: list[Any], number: int
    ) -> AbstractContextManager[SlideReader]:
        """Open one of the images by the reader that was asked for."""
        options = self.channel_axis, self.reader_params
        return opened(images, number, self.reader, *options)

    def _pass(self, X: Any) -> Any:
        """Return a table as it is, in the container that was asked for."""
        if self.tile_shape_ is not None:
            raise BagError(
                "X is a table, but TileGrid was fitted on images. A single image goes "
                "into a list: [image]."
            )
        with naming("X"):
            rows = validate_data(self, _plain(X), reset=False)
        wrap = FunctionTransformer(feature_names_out="one-to-one")
        if hasattr(self, "_sklearn_output_config"):
            wrap.set_output(**self._sklearn_output_config)
        with naming("X"):
            return wrap.fit_transform(X if hasattr(X, "columns") else rows)

    def _tile(self, images: list[Any], number: int) -> tuple[Array, Array]:
        """Return tiles of one image and their (x, y)."""
        size = tile_size_of(self.tile_size)
        strides = strides_of(size, self.overlap)
        with self._opened(images, number) as slide:
            self._check_channels(slide)
            positions = tile_positions(slide.shape, size, strides, self.edge)
            positions = self._choose(slide, positions, size, number)
            tiles = np.stack(
                [self._cut(slide, r, c, *size) for r, c in positions.tolist()]
            )
        return tiles.reshape(len(tiles), -1) if self.flatten else tiles, positions[
            :, ::-1
        ]

    def _check_channels(self, slide: SlideReader) -> None:
        """Raise a ValueError unless the image has the channels seen in fit."""
        assert self.tile_shape_ is not None
        found, expected = tuple(slide.shape[2:]), self.tile_shape_[:-2]
        if found != expected:
            raise ValueError(
                f"has {found[0] if found else 'no axis of'} channels, but TileGrid was "
                f"fitted on images with {expected[0] if expected else 'none'}. Bring "
                "all images to the same channels."
            )

    def _choose(
        self, slide: SlideReader, positions: Array, size: tuple[int, int], number: int
    ) -> Array:
        """Keep tiles with enough tissue, and no more than `max_tiles`."""
        if self.tissue is not None:
            step = overview_step(size)
            mask = tissue_mask(slide.overview(step), self.tissue)
            shares = tissue_shares(mask, step, positions, size)
            enough = shares >= self.min_tissue
            if not enough.any():
                _warn_of_glass(number, float(shares.max()), self.min_tissue)
                enough[shares.argmax()] = True
            positions = positions[enough]
        if self.max_tiles is None or len(positions) <= self.max_tiles:
            return positions
        rng = np.random.default_rng(self._seed)
        chosen = rng.choice(len(positions), self.max_tiles, replace=False)
        return positions[np.sort(chosen)]

    def _cut(
        self, slide: SlideReader, row: int, col: int, height: int, width: int
    ) -> Array:
        """Read one tile, fill it up beyond the border, put channels first."""
        inside = min(height, slide.shape[0] - row), min(width, slide.shape[1] - col)
        tile = np.asarray(slide.read(row, col, *inside))
        if tile.shape[:2] != inside:
            raise ValueError(
                f"gave {tile.shape[:2]} pixels at row {row}, column {col}, where its "
                f"reader was asked for {inside}."
            )
        missing = [(0, height - inside[0]), (0, width - inside[1]), (0, 0)]
        if inside != (height, width):
            tile = np.pad(tile, missing[: tile.ndim], mode="edge")
        tile = np.moveaxis(tile, -1, 0) if tile.ndim == 3 else tile
        if self.rescale and tile.dtype.kind in "biu":
            top = 1 if tile.dtype.kind == "b" else np.iinfo(tile.dtype).max
            tile = tile.astype(np.float32) / np.float32(top)
        return tile


def _warn_of_glass(number: int, best: float, least: float) -> None:
    warnings.warn(
        f"X: image {number} has no tile with a share of tissue of min_tissue={least}; "
        f"its best tile, with {best:.2g}, is kept. Choose another method with tissue=, "
        "lower min_tissue, or leave the image out.",
        UserWarning,
        stacklevel=6,
    )


def _plain(X: Any) -> Any:
    """Return a table, or an array in which NaN stands for what a mask hides."""
    if isinstance(X, type):
        raise TypeError(f"got the class {X.__name__}, not an array.")
    known = isinstance(X, np.ma.MaskedArray) or hasattr(X, "detach")
    return as_numpy(X) if known else X
