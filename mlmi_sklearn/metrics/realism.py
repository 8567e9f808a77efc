"""Whether people can tell synthetic images from real ones.

That is for people to say, not for a distance between features. A study prepares a blind
test and counts the answers, which is the second evaluation of Hu et al. (2017).
"""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.utils import check_random_state, check_scalar

from mlmi_sklearn.metrics._blind_answers import answers_in_order
from mlmi_sklearn.metrics._blind_pictures import as_bytes, side_by_side, write_png

__all__ = ["RealismScore", "RealismStudy"]

Array = NDArray[Any]


class RealismScore(NamedTuple):
    """What :meth:`RealismStudy.score` returns.

    Parameters
    ----------
    accuracy : float
        Share of right answers.
    low, high : float
        Ends of the interval of the accuracy.
    p_value : float
        Two-sided p value of the hypothesis that answers are guesses.
    n_correct : int
        Number of right answers.
    n_items : int
        Number of answers.
    real_called_real : float
        Share of real images called real; NaN if none was shown.
    synthetic_called_real : float
        Share of synthetic images called real; NaN if none was shown.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.metrics import RealismScore, RealismStudy
    >>> images = np.arange(40.0).reshape(10, 2, 2)
    >>> study = RealismStudy(images, images, n_items=8, random_state=0)
    >>> score = study.score(["real"] * 8)
    >>> isinstance(score, RealismScore), score.n_items, score.synthetic_called_real
    (True, 8, 1.0)
    """

    accuracy: float
    low: float
    high: float
    p_value: float
    n_correct: int
    n_items: int
    real_called_real: float
    synthetic_called_real: float


class RealismStudy:
    """A blind test of whether a person can tell synthetic images from real ones.

    Make one, :meth:`export` it to a folder, let a person fill in the answer sheet
    there, and pass the sheet to :meth:`score`. Pickle the study in between: it holds
    the key.

    A coin decides for every item, not a fixed share, so that nobody can gain by
    counting, and the number of right answers of a person who sees no difference has
    exactly the binomial distribution with 1/2, whatever their habits.

    Parameters
    ----------
    real, synthetic : array-like of shape (n, H, W), (n, 1, H, W) or (n, 3, H, W)
        Images to draw from, at least `n_items` of each, of one size. Grey values are
        cut to the range of the real ones, the same for all, and made bytes.
    n_items : int, default=50
        Number of questions. With 50, a person must be right 33 times (66 %) for a two-
        sided p value below 0.05.
    pairs : bool, default=False
        Whether an item is a real beside a synthetic image, and the question is which
        one is real, "left" or "right". Otherwise it is one image, "real" or
        "synthetic". Pairs are the sharper test.
    random_state : int, RandomState instance or None, default=None
        Determines which images are shown, and where.

    Attributes
    ----------
    key : DataFrame
        One row an item, with columns ``item`` (from 1), ``file``, ``answer``, the right
        one, and ``real`` and ``synthetic``, the rows of the images shown, -1 for none.

    Raises
    ------
    ValueError
        If there are too few images, or shapes do not fit.

    References
    ----------
    Hu, Y. et al. (2017). Freehand ultrasound image simulation with spatially-
    conditioned generative adversarial networks. MICCAI RAMBO workshop. arXiv
    1707.05392.

    Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits
    illustrated in the case of the binomial. Biometrika 26, 404-413.

    Examples
    --------
    >>> from mlmi_sklearn.datasets import make_ultrasound_phantom
    >>> from mlmi_sklearn.metrics import RealismStudy
    >>> frames = make_ultrasound_phantom(60, random_state=0)
    >>> study = RealismStudy(frames.images, frames.truth, n_items=20, random_state=0)
    >>> study
    RealismStudy(n_items=20, pairs=False)

    A person who sees speckle at once, and one who answers the same every time:

    >>> score = study.score(study.key["answer"])
    >>> round(score.accuracy, 2), round(score.low, 2), bool(score.p_value < 0.001)
    (1.0, 0.83, True)
    >>> study.score(["real"] * 20).p_value > 0.05
    True
    """

    def __init__(
        self,
        real: Any,
        synthetic: Any,
        *,
        n_items: int = 50,
        pairs: bool = False,
        random_state: Any = None,
    ) -> None:
        check_scalar(n_items, "n_items", Integral, min_val=1)
        pictures = as_bytes(real, synthetic)
        for name, of_kind in zip(("real", "synthetic"), pictures, strict=True):
            if len(of_kind) < n_items:
                raise ValueError(
                    f"{name} has {len(of_kind)} images, but n_items={n_items} may need "
                    "as many. Pass more images or ask for fewer items."
                )
        rng = check_random_state(random_state)
        self.n_items = int(n_items)
        self.pairs = bool(pairs)
        heads = rng.randint(2, size=self.n_items).astype(bool)
        rows = np.stack([rng.permutation(len(k))[: self.n_items] for k in pictures])
        self.key = self._key(heads, rows)
        shown = [k[row] for k, row in zip(pictures, rows, strict=True)]
        # Heads: the real image is shown, or is on the left.
        first = np.where(heads[:, None, None, None], *shown)
        second = np.where(heads[:, None, None, None], *shown[::-1])
        self._pictures = side_by_side(first, second) if self.pairs else first

    def __repr__(self) -> str:
        # The key stays out of sight.
        return f"RealismStudy(n_items={self.n_items}, pairs={self.pairs})"

    @property
    def answers(self) -> tuple[str, str]:
        """The two possible answers."""
        return ("left", "right") if self.pairs else ("real", "synthetic")

    def export(
        self,
        folder: str | PathLike[str],
        *,
        zoom: int | None = None,
        key_file: str | PathLike[str] | None = None,
    ) -> Path:
        """Write pictures and an empty answer sheet.

        The folder then holds ``item_001.png`` and so on, ``answers.csv`` with columns
        ``item``, ``file`` and an empty ``answer``, and ``instructions.txt``. Nothing in
        it tells the right answers.

        Parameters
        ----------
        folder : str or path-like
            Where to write. Made if it does not exist.
        zoom : int or None, default=None
            By how much pixels are enlarged, at least 1. With None, so much that the
            shorter side has about 256.
        key_file : str or path-like or None, default=None
            CSV file to write the key to, not inside `folder`; not written with None.

        Returns
        -------
        pathlib.Path
            The answer sheet.

        Raises
        ------
        ValueError
            If `key_file` would be inside the folder, or `zoom` is out of range.
        FileExistsError
            If the folder has an answer sheet already, which may be filled in.
        """
        where = Path(folder)
        sheet = where / "answers.csv"
        if sheet.exists():
            raise FileExistsError(
                f"{sheet} exists and may hold answers. Export to another folder."
            )
        if key_file is not None and where.resolve() in Path(key_file).resolve().parents:
            raise ValueError(
                f"key_file={str(key_file)!r} is inside the folder, where the person "
                "who answers would find it. Write it somewhere else."
            )
        if zoom is not None:
            check_scalar(zoom, "zoom", Integral, min_val=1)
        where.mkdir(parents=True, exist_ok=True)
        for name, picture in zip(self.key["file"], self._pictures, strict=True):
            write_png(where / name, picture, zoom)
        (where / "instructions.txt").write_text(self._instructions(), encoding="utf-8")
        if key_file is not None:
            self.key.to_csv(key_file, index=False)
        blank = self.key[["item", "file"]].assign(answer="")
        blank.to_csv(sheet, index=False)
        return sheet

    def score(
        self,
        answers: Any,
        *,
        confidence: float = 0.95,
        interval: Literal["exact", "wilson"] = "exact",
    ) -> RealismScore:
        """Count the right answers of one person.

        Parameters
        ----------
        answers : str, path-like, DataFrame, mapping or sequence of str
            The answer sheet, filled in, as a file or a table with columns ``item`` and
            ``answer`` in any order of rows; or a mapping from item to answer; or one
            answer for each item in order. Case and blanks do not matter.
        confidence : float, default=0.95
            Confidence of the interval, between 0 and 1.
        interval : {"exact", "wilson"}, default="exact"
            Interval of Clopper and Pearson, which is never too narrow, or of Wilson.

        Returns
        -------
        RealismScore
            Share of right answers, ``accuracy``, with interval ``low`` to ``high``; a
            ``p_value``, small also for a person who is wrong suspiciously often; and
            the shares of either kind that were called real. A large p value does not
            prove that images look real: ``high`` says how well people may yet do.

        Raises
        ------
        ValueError
            If an item has no answer, two, or one that is not possible, or if
            `confidence` or `interval` is out of range.
        """
        bounds = {"min_val": 0, "max_val": 1, "include_boundaries": "neither"}
        check_scalar(confidence, "confidence", Real, **bounds)
        if interval not in ("exact", "wilson"):
            raise ValueError(f"interval must be 'exact' or 'wilson', got {interval!r}.")
        given = answers_in_order(answers, self.n_items, self.answers)
        right = given == self.key["answer"].to_numpy()
        test = binomtest(int(right.sum()), self.n_items)
        ends = test.proportion_ci(confidence, method=interval)
        return RealismScore(
            float(right.mean()),
            float(ends.low),
            float(ends.high),
            float(test.pvalue),
            int(right.sum()),
            self.n_items,
            *self._called_real(right),
        )

    def _key(self, heads: Array, rows: Array) -> pd.DataFrame:
        """Return the right answer and the images of every item."""
        items = np.arange(1, self.n_items + 1)
        digits = max(3, len(str(self.n_items)))
        shown = rows if self.pairs else np.where([heads, ~heads], rows, -1)
        return pd.DataFrame(
            {
                "item": items,
                "file": [f"item_{item:0{digits}d}.png" for item in items],
                "answer": np.where(heads, *self.answers),
                "real": shown[0],
                "synthetic": shown[1],
            }
        )

    def _called_real(self, right: Array) -> tuple[float, float]:
        """Return the shares of real and of synthetic images called real."""
        real = (self.key["answer"] == "real").to_numpy() | self.pairs
        called = right == real
        # In a pair, calling one image real calls the other synthetic.
        other = ~called if self.pairs else called[~real]
        return _share(called[real]), _share(other)

    def _instructions(self) -> str:
        """Return what the person is asked to do."""
        what = (
            "Each picture shows two images side by side, one real and one made by a "
            "computer.\nWhich one is real?"
            if self.pairs
            else "Each picture shows one image, real or made by a computer, as if a "
            "coin had been\ntossed for each. Which is it?"
        )
        return (
            f"{what} In answers.csv, write {self.answers[0]!r} or {self.answers[1]!r} "
            "beside every\nitem, a guess if need be.\n"
        )


def _share(called: Array) -> float:
    """Return the share of True, NaN of nothing."""
    return float(called.mean()) if len(called) else np.nan
