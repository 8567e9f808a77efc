"""Chest X-rays of children, with and without pneumonia, in small pictures."""

from __future__ import annotations

from os import PathLike
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from mlmi_sklearn.datasets._io import data_file, description
from mlmi_sklearn.datasets._pixels import as_images, decode

__all__ = ["load_pneumonia_xray"]

_NAMES = np.array(["normal", "pneumonia"])
_PARTS = ("train", "val", "test")


def load_pneumonia_xray(
    *,
    subset: Literal["all", "train", "val", "test"] = "all",
    path: str | PathLike[str] | None = None,
    return_X_y: bool = False,
) -> Any:
    """Load chest X-rays of children, normal or with pneumonia: part of PneumoniaMNIST.

    =======  ==========================================
    Train    600 pictures, 300 of each class
    Test     300 pictures, 150 of each class
    Size     28x28, one channel
    =======  ==========================================

    Parameters
    ----------
    subset : {"all", "train", "val", "test"}, default="all"
        Rows to load, by the split of MedMNIST. The embedded part has no "val".
    path : str or path-like or None, default=None
        The file ``pneumoniamnist.npz`` as MedMNIST publishes it, of any size of
        pictures, to read all 5,856 pictures of it (4,708 train, 524 val, 624 test)
        instead of the embedded part. With None nothing but the package is needed.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        Or the tuple ``(images, target)``. The entries:

        - ``images``: ndarray of float32 of shape (n, 1, 28, 28), in [0, 1] by steps of
          1/255; 28 may be another size with `path`;
        - ``data``: the same pictures as rows, shape (n, 784);
        - ``target``: 0 normal, 1 pneumonia;
        - ``split``: "train", "val" or "test";
        - ``target_names``: name of each class;
        - ``DESCR``: the description.

    Raises
    ------
    ValueError
        If `subset` is none of its values, or the file is not one of MedMNIST with two
        classes.
    FileNotFoundError
        If there is no file at `path`.

    Notes
    -----
    The embedded part is balanced on purpose, so that classes can be thinned to any
    imbalance; the full set has one normal for three with pneumonia.

    References
    ----------
    Yang, J. et al. (2023). MedMNIST v2: a large-scale lightweight benchmark for 2D and
    3D biomedical image classification. Scientific Data 10, 41.

    Kermany, D. S. et al. (2018). Identifying medical diagnoses and treatable diseases
    by image-based deep learning. Cell 172(5), 1122-1131.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.datasets import load_pneumonia_xray
    >>> xray = load_pneumonia_xray(subset="train")
    >>> xray.images.shape
    (600, 1, 28, 28)
    >>> np.bincount(xray.target).tolist(), xray.target_names.tolist()
    ([300, 300], ['normal', 'pneumonia'])
    """
    parts = ("train", "test") if path is None else _PARTS
    if not (isinstance(subset, str) and subset in ("all", *parts)):
        hint = "; 'val' needs path" if subset == "val" else ""
        raise ValueError(
            f"subset must be one of {['all', *parts]}, got {subset!r}{hint}."
        )
    chosen = parts if subset == "all" else (subset,)
    xray = _embedded(chosen) if path is None else _from_file(path, chosen)
    images = as_images(xray.grey)
    if return_X_y:
        return images, xray.target
    return Bunch(
        images=images,
        data=images.reshape(len(images), -1),
        target=xray.target,
        split=xray.split,
        target_names=_NAMES.copy(),
        DESCR=description("pneumonia_xray"),
    )


class _Pictures(NamedTuple):
    """Grey values (n, H, W), classes and sides of the split."""

    grey: NDArray[np.uint8]
    target: NDArray[np.int64]
    split: NDArray[np.str_]


def _embedded(parts: tuple[str, ...]) -> _Pictures:
    """Read parts from the package."""
    with data_file("pneumonia_xray.npz").open("rb") as file, np.load(file) as data:
        return _stacked(data, parts)._replace(
            grey=np.concatenate([decode(data[f"{part}_images"]) for part in parts])
        )


def _from_file(path: str | PathLike[str], parts: tuple[str, ...]) -> _Pictures:
    """Read parts from a file of MedMNIST, and make sure that it is the right one."""
    with np.load(path) as data:
        missing = [f"{part}_images" for part in parts]
        missing = [name for name in missing if name not in data]
        if missing:
            raise ValueError(
                f"path={str(path)!r} must be the file pneumoniamnist.npz of MedMNIST, "
                f"but it has no {' or '.join(missing)}."
            )
        found = _stacked(data, parts)
    if found.grey.ndim != 3 or not np.isin(found.target, (0, 1)).all():
        raise ValueError(
            f"path={str(path)!r} must be the file pneumoniamnist.npz of MedMNIST, with "
            f"grey pictures and classes 0 and 1; it has pictures of shape "
            f"{found.grey.shape[1:]} and classes {np.unique(found.target).tolist()}."
        )
    return found


def _stacked(data: Any, parts: tuple[str, ...]) -> _Pictures:
    """Join the arrays of parts as they are in the file."""
    labels = [data[f"{part}_labels"].ravel().astype(np.int64) for part in parts]
    return _Pictures(
        np.concatenate([data[f"{part}_images"] for part in parts]),
        np.concatenate(labels),
        np.repeat(np.array(parts), [len(label) for label in labels]),
    )
