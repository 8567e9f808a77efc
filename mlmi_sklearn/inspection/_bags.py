"""Reading one bag: its scores, its places, its truth and the image it came from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..containers import Bags
from ..exceptions import BagError
from ..preprocessing import TileGrid
from ..preprocessing._sources import list_images
from ._drawing import FINEST

Array = NDArray[Any]


def scores_of(scores: Any, bags: Bags, number: int) -> Array:
    """Return the scores of one bag, out of flat or ragged ones."""
    if isinstance(scores, list | tuple) and len(scores) and np.ndim(scores[0]) > 0:
        mine = np.asarray(scores[number]) if len(scores) == len(bags) else np.empty(0)
    else:
        flat, (start, stop) = np.asarray(scores), bags.offsets[number : number + 2]
        mine = flat[start:stop] if len(flat) == bags.n_instances else np.empty(0)
    if len(mine) != bags.lengths[number]:
        raise BagError(
            f"scores do not fit the bags: pass a list with one array for each of the "
            f"{len(bags)} bags, or one array for all {bags.n_instances} instances."
        )
    return mine


def require_coords(bag: Bags) -> None:
    if bag.coords is None:
        raise BagError(
            "bags have no coords, so nothing says where the instances are. Pass "
            "Bags(..., coords=xy), or cut images with TileGrid. TopInstancesDisplay "
            "needs none."
        )


def marked_in(bag: Bags, instance_label: float) -> Array | None:
    """Return which instances are truly positive, where that is known."""
    return None if bag.y_instances is None else bag.y_instances == instance_label


def size_of_images(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of instances that are images."""
    last = len(shape) == 3 and shape[-1] in (3, 4) and shape[0] not in (1, 3, 4)
    return shape[:2] if last else shape[-2:]  # type: ignore[return-value]


def image_in(X: Any, number: int, grid: TileGrid) -> tuple[Array, int]:
    """Return an image that a TileGrid cuts, seen from afar, and by how much."""
    images = list_images(X)
    with grid._opened(images, number) as slide:
        step = max(1, max(slide.shape[:2]) // FINEST)
        return np.asarray(slide.overview(step)), step
