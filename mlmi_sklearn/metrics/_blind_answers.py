"""Answer sheets of a blind test, in the forms that people hand them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["answers_in_order"]


def answers_in_order(
    answers: Any, n_items: int, allowed: tuple[str, str]
) -> NDArray[np.str_]:
    """Return one allowed answer for each item, or say what is wrong."""
    given = _pairs(answers, n_items)
    numbers = [item for item, _ in given]
    if strangers := sorted(set(numbers) - set(range(1, n_items + 1))):
        raise ValueError(
            f"answers has {_listed(strangers)}, but the study has items 1 to {n_items}."
        )
    if twice := sorted({item for item in numbers if numbers.count(item) > 1}):
        raise ValueError(f"answers has more than one row for {_listed(twice)}.")
    found = {item: answer for item, answer in given if answer}
    if missing := sorted(set(range(1, n_items + 1)) - set(found)):
        raise ValueError(f"answers has no answer for {_listed(missing)}.")
    for item, answer in found.items():
        if answer not in allowed:
            raise ValueError(
                f"answers must be {allowed[0]!r} or {allowed[1]!r}, got {answer!r} for "
                f"item {item}."
            )
    return np.array([found[item] for item in range(1, n_items + 1)])


def _pairs(answers: Any, n_items: int) -> list[tuple[int, str]]:
    """Return item and answer of each row of whatever was passed."""
    if isinstance(answers, str | PathLike):
        # A spreadsheet may have put another separator, or a mark at the beginning.
        answers = pd.read_csv(
            answers, sep="[,;\t]", engine="python", dtype=str, encoding="utf-8-sig"
        )
    if isinstance(answers, pd.DataFrame):
        if not {"item", "answer"} <= set(answers.columns):
            raise ValueError(
                "answers must have the columns item and answer, got "
                f"{[str(name) for name in answers.columns]}."
            )
        rows: Iterable[tuple[Any, Any]] = zip(
            answers["item"], answers["answer"], strict=True
        )
    elif isinstance(answers, Mapping):
        rows = answers.items()
    else:
        rows = enumerate(_counted(answers, n_items), start=1)
    return [(_number(item), _word(answer)) for item, answer in rows]


def _counted(answers: Any, n_items: int) -> list[Any]:
    """Return a sequence of the right length as a list."""
    if not isinstance(answers, Iterable):
        raise TypeError(
            "answers must be a file, a DataFrame, a mapping or a sequence, got "
            f"{type(answers).__name__}."
        )
    words = list(answers)
    if len(words) != n_items:
        raise ValueError(
            f"answers must be {n_items}, one for each item, got {len(words)}."
        )
    return words


def _number(item: Any) -> int:
    """Return the number of an item."""
    try:
        return int(item)
    except (TypeError, ValueError):
        raise ValueError(
            f"items of answers must be numbers from 1, got {item!r}."
        ) from None


def _word(answer: Any) -> str:
    """Return an answer in small letters, empty for a cell left out."""
    return "" if pd.isna(answer) else str(answer).strip().lower()


def _listed(items: list[int]) -> str:
    """Name items, not too many of them."""
    few = ", ".join(str(item) for item in items[:10])
    rest = f" and {len(items) - 10} more" if len(items) > 10 else ""
    return f"item{'s' if len(items) > 1 else ''} {few}{rest}"
