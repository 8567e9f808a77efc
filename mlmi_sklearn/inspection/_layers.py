"""The layers of a heat map: image, scores, and outlines of what is truly positive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, PatchCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ._drawing import FINEST, as_picture
from .maps import scores_to_map

Array = NDArray[Any]

_OUTLINE = "black"


@dataclass(frozen=True)
class Layers:
    """What is drawn, checked.

    Parameters
    ----------
    scores : ndarray of shape (n_instances,)
        Finite or NaN.
    coords : ndarray of shape (n_instances, 2)
        x and y in pixels.
    shape : tuple of int
        Height and width of the canvas in pixels.
    tile_size : tuple of int or None
        Height and width of tiles.
    picture : ndarray or None
        The image under the scores.
    marked : ndarray of bool or None
        Instances to outline.
    """

    scores: Array
    coords: Array
    shape: tuple[int, int]
    tile_size: tuple[int, int] | None
    picture: Array | None
    marked: Array | None

    @classmethod
    def of(cls, display: Any) -> Layers:
        """Read the parameters of a display."""
        scores = np.asarray(display.scores, dtype=float)
        coords = np.asarray(display.coords, dtype=float)
        if scores.ndim != 1 or coords.shape != (len(scores), 2) or not len(scores):
            raise ValueError(
                f"coords has shape {coords.shape} and scores has shape {scores.shape}; "
                "pass one score, and one pair (x, y), for each instance of the bag."
            )
        size = display.tile_size
        if size is not None:
            size = (size, size) if isinstance(size, int | np.integer) else tuple(size)
        marked = display.marked
        if marked is not None and np.shape(marked) != scores.shape:
            raise ValueError(
                f"marked has shape {np.shape(marked)}, but there are {len(scores)} "
                "instances."
            )
        shape, picture = _canvas(coords, size, display.image, display.image_scale)
        return cls(
            scores,
            coords,
            shape,
            size,
            picture,
            None if marked is None else np.asarray(marked, dtype=bool),
        )

    def draw_image(self, ax: Axes) -> None:
        """Draw the image, and set up the axes for pixels counted downwards."""
        height, width = self.shape
        if self.picture is not None:
            extent = (-0.5, width - 0.5, height - 0.5, -0.5)
            ax.imshow(self.picture, cmap="gray", extent=extent, zorder=0)
        else:
            ax.set_facecolor("0.95")
        ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), aspect="equal")
        ax.set(xticks=[], yticks=[])

    def draw_scores(
        self, ax: Axes, kind: str, look: Any, radius: float | None, reduce: str
    ) -> Any:
        """Draw tiles, points or a smooth map; return what has the colours."""
        kind = self._kind(kind)
        if kind == "points":
            return self._draw_points(ax, look, radius)
        step = max(1, -(-max(self.shape) // FINEST))
        if kind == "tiles":
            drawn = scores_to_map(
                self.scores,
                self.coords,
                self.shape,
                self.tile_size,
                reduce=reduce,  # type: ignore[arg-type]
                step=step,
            )
        else:
            drawn = scores_to_map(
                self.scores,
                self._centres(),
                self.shape,
                radius=self._spacing() if radius is None else radius,
                kernel="gaussian",
                step=step,
            )
        if look["alpha"] is None:
            look = {**look, "alpha": 1.0 if self.picture is None else 0.6}
        height, width = (n * step for n in drawn.shape)
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        limits = ax.get_xlim(), ax.get_ylim()
        shown = ax.imshow(
            drawn, extent=extent, interpolation="nearest", zorder=1, **look
        )
        ax.set(xlim=limits[0], ylim=limits[1])
        return shown

    def draw_marks(self, ax: Axes, kind: str, radius: float | None) -> None:
        """Outline what is truly positive, and say so in a legend."""
        if self.marked is None or not self.marked.any():
            return
        where = self.coords[self.marked]
        shape: dict[str, Any] = {"marker": "o", "mfc": "none", "ms": 8}
        outlines: Any
        if self.tile_size is not None:
            height, width = self.tile_size
            tiles = [Rectangle((x - 0.5, y - 0.5), width, height) for x, y in where]
            outlines = PatchCollection(tiles)
            shape["marker"] = "s"
        else:
            outlines = self._circles(ax, self.marked, radius)
        outlines.set(facecolor="none", edgecolor=_OUTLINE, linewidth=1.3, zorder=3)
        ax.add_collection(outlines, autolim=False)
        handle = Line2D([], [], color=_OUTLINE, ls="none", mew=1.3, **shape)
        ax.legend(
            [handle],
            [f"truly positive ({int(self.marked.sum())} of {len(self.scores)})"],
            loc="upper left",
            bbox_to_anchor=(-0.01, 0.0),
            frameon=False,
            handletextpad=0.2,
            borderaxespad=0.2,
        )

    def _kind(self, kind: str) -> str:
        """Resolve what to draw."""
        if kind not in ("auto", "tiles", "points", "smooth"):
            raise ValueError(
                f"kind={kind!r} must be 'auto', 'tiles', 'points' or 'smooth'."
            )
        if kind == "tiles" and self.tile_size is None:
            raise ValueError("kind='tiles' needs to know the size: pass tile_size=.")
        if kind == "auto":
            return "points" if self.tile_size is None else "tiles"
        return kind

    def _draw_points(self, ax: Axes, look: Any, radius: float | None) -> Any:
        # The highest last, so that none hides under a low one.
        everything = np.ones(len(self.scores), dtype=bool)
        order = np.argsort(self.scores, kind="stable")
        dots = self._circles(ax, everything, radius, order)
        dots.set_array(self.scores[order])
        dots.set(cmap=look["cmap"], norm=look["norm"], alpha=look["alpha"], zorder=2)
        dots.set(edgecolor="0.35", linewidth=0.3)
        return ax.add_collection(dots, autolim=False)

    def _circles(
        self, ax: Axes, chosen: Array, radius: float | None, order: Any = slice(None)
    ) -> EllipseCollection:
        """Return circles in units of the image, so that they scale with it."""
        diameter = 2 * (0.45 * self._spacing() if radius is None else radius)
        where = self._centres()[chosen][order]
        sizes = np.full(len(where), diameter)
        return EllipseCollection(
            sizes, sizes, np.zeros(len(where)), units="xy", offsets=where,
            offset_transform=ax.transData,
        )  # fmt: skip

    def _centres(self) -> Array:
        if self.tile_size is None:
            return self.coords
        height, width = self.tile_size
        centres = self.coords + np.array([(width - 1) / 2, (height - 1) / 2])
        return np.minimum(centres, (self.shape[1] - 1, self.shape[0] - 1))

    def _spacing(self) -> float:
        """Return the usual distance to the nearest neighbour, within bounds."""
        side = max(self.shape)
        distance = 0.0
        if len(self.coords) > 1:
            distance = float(
                np.median(KDTree(self.coords).query(self.coords, k=2)[0][:, 1])
            )
        return float(np.clip(distance, 0.012 * side, 0.04 * side))


def _canvas(
    coords: Array, size: Any, image: Any, scale: float
) -> tuple[tuple[int, int], Array | None]:
    """Return height and width to draw on, and the image at a sensible resolution."""
    if not np.isfinite(coords).all() or (coords < 0).any():
        raise ValueError("coords holds NaN, infinity or negative numbers.")
    far = coords.max(axis=0)
    if image is None:
        margin = (0.04 * max(far) + 1,) * 2 if size is None else size[::-1]
        width, height = np.ceil(far + margin).astype(int).tolist()
        return (max(height, 1), max(width, 1)), None
    if np.ndim(image) not in (2, 3):
        raise ValueError(
            f"image has shape {np.shape(image)}; it must have two axes, or three with "
            "channels."
        )
    picture = image if isinstance(image, np.ndarray) else np.asarray(image)
    rows, columns = (1, 2) if _channels_first(picture) else (0, 1)
    height = round(picture.shape[rows] * scale)
    width = round(picture.shape[columns] * scale)
    if (far >= (width, height)).any():
        raise ValueError(
            f"image covers {height} x {width} pixels (height x width), but coords "
            f"reach to row {far[1]:g} and column {far[0]:g}. Pass the image that the "
            "instances were cut from; for a reduced one, say by how much with "
            "image_scale=."
        )
    step = max(1, max(picture.shape[rows], picture.shape[columns]) // FINEST)
    thin = [slice(None)] * picture.ndim
    thin[rows] = thin[columns] = slice(None, None, step)
    return (height, width), as_picture(picture[tuple(thin)])


def _channels_first(picture: Array) -> bool:
    shape = picture.shape
    return picture.ndim == 3 and shape[0] in (1, 3, 4) and shape[-1] not in (1, 3, 4)
