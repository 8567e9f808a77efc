"""Ultrasound pictures of the breast, small: normal, benign, malignant."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from mlmi_sklearn.datasets._io import data_file, description
from mlmi_sklearn.datasets._pixels import as_images, decode

__all__ = ["load_breast_ultrasound"]

_NAMES = np.array(["normal", "benign", "malignant"])


def load_breast_ultrasound(*, return_X_y: bool = False) -> Any:
    """Load ultrasound pictures of the breast: part of the data set BUSI.

    =========  ==============================================
    Pictures   240, 80 of each class
    Classes    0 normal, 1 benign, 2 malignant
    Size       32x32, one channel
    =========  ==============================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` alone.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        Or the tuple ``(images, target)``. The entries, of rows sorted by ``target``:

        - ``images``: ndarray of float32 of shape (240, 1, 32, 32), in [0, 1] by steps
          of 1/255;
        - ``data``: the same pictures as rows, shape (240, 1024);
        - ``target``: 0, 1 or 2;
        - ``target_names``: name of each class;
        - ``file_names``: name of each picture in the original, such as
          "benign (12).png";
        - ``DESCR``: the description.

    Notes
    -----
    For pictures to look at and to generate, not for claims about diagnosis: the
    original does not say which pictures are of one patient, so no split is clean. See
    ``DESCR``.

    References
    ----------
    Al-Dhabyani, W., Gomaa, M., Khaled, H. and Fahmy, A. (2020). Dataset of breast
    ultrasound images. Data in Brief 28, 104863.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import load_breast_ultrasound
    >>> breast = load_breast_ultrasound()
    >>> breast.images.shape
    (240, 1, 32, 32)
    >>> str(breast.target_names[breast.target[100]]), str(breast.file_names[100])
    ('benign', 'benign (109).png')
    """
    with data_file("breast_ultrasound.npz").open("rb") as file, np.load(file) as data:
        images = as_images(decode(data["images"]))
        target = data["target"].astype(np.int64)
        numbers = data["file_no"]
    if return_X_y:
        return images, target
    pairs = zip(_NAMES[target], numbers, strict=True)
    return Bunch(
        images=images,
        data=images.reshape(len(images), -1),
        target=target,
        target_names=_NAMES.copy(),
        file_names=np.array([f"{name} ({number}).png" for name, number in pairs]),
        DESCR=description("breast_ultrasound"),
    )
