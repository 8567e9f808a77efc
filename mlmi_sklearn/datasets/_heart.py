"""Heart disease at four hospitals: a real shift between sites."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from mlmi_sklearn.datasets._io import data_file, description

# Zero is written where these were not measured.
_ZERO_IS_MISSING = ["chol", "trestbps"]


def load_heart_multisite(
    *,
    return_X_y: bool = False,
    as_frame: bool = False,
    missing: Literal["original", "nan"] = "original",
) -> Any:
    """Load the heart disease data of four hospitals.

    Sites differ in the share of the sick (36 to 94 %) and in what they measured. Empty
    cells are NaN; see ``DESCR`` for the meaning of the columns.

    ===========  ======  ========
    Site         Rows    Positive
    ===========  ======  ========
    cleveland    303     45.9 %
    hungarian    294     36.1 %
    switzerland  123     93.5 %
    va           200     74.5 %
    ===========  ======  ========

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.
    as_frame : bool, default=False
        Whether `data` is a frame and `target`, `target_num`, `site` are Series.
    missing : {"original", "nan"}, default="original"
        Treatment of the zeros that stand for missing values in ``chol`` (172 rows) and
        ``trestbps`` (1 row): kept as recorded, or turned into NaN.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        With the entries ``data`` (ndarray of shape (920, 13), or frame), ``target``
        (1 if diseased), ``target_num`` (0 to 4), ``site`` (names), ``feature_names``,
        ``target_names``, ``site_names``, ``frame`` (all columns, if `as_frame`) and
        ``DESCR``; or the tuple ``(data, target)``.

    Raises
    ------
    ValueError
        If `missing` is none of the two.

    References
    ----------
    Detrano, R. et al. (1989). International application of a new probability algorithm
    for the diagnosis of coronary artery disease. American Journal of Cardiology 64,
    304-310.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import load_heart_multisite
    >>> heart = load_heart_multisite()
    >>> heart.data.shape
    (920, 13)
    >>> float(heart.target[heart.site == "va"].mean())
    0.745
    """
    if missing not in ("original", "nan"):
        raise ValueError(f"missing must be 'original' or 'nan', got {missing!r}.")
    with data_file("heart_multisite.csv.gz").open("rb") as file:
        frame = pd.read_csv(file, compression="gzip")
    frame = frame.rename(columns={"target": "target_num"})
    frame["target"] = (frame["target_num"] > 0).astype(np.int64)
    features = frame.columns.drop(["site", "target", "target_num"]).tolist()
    frame[features] = frame[features].astype(np.float64)
    if missing == "nan":
        zeros = frame[_ZERO_IS_MISSING] == 0
        frame[_ZERO_IS_MISSING] = frame[_ZERO_IS_MISSING].mask(zeros)
    bunch = Bunch(
        data=frame[features],
        frame=frame if as_frame else None,
        feature_names=features,
        target_names=np.array(["no disease", "disease"]),
        site_names=frame["site"].unique().astype(str),
        DESCR=description("heart_multisite"),
        **{name: frame[name] for name in ("target", "target_num", "site")},
    )
    if not as_frame:
        bunch.data = bunch.data.to_numpy()
        bunch.site = bunch.site.to_numpy().astype(str)
        for name in ("target", "target_num"):
            bunch[name] = bunch[name].to_numpy()
    return (bunch.data, bunch.target) if return_X_y else bunch
