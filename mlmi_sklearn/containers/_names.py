"""Names of features, where bags come as frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlmi_sklearn.exceptions import BagError

BAG_COLUMNS = {"bag", "bag_id", "bag_name", "slide", "slide_id"}
"""Names, in lower case, that a column of features does not have."""


def names_in_frames(bags: Sequence[Any], name: str) -> list[str] | None:
    """Return the column names that all bags share; None if they are no frames.

    Parameters
    ----------
    bags : sequence
        What should become bags.
    name : str
        What to call it in error messages.

    Returns
    -------
    list of str or None
        Names of features.

    Raises
    ------
    BagError
        If names or their order differ between bags, or a column names the bag.
    """
    named = [list(map(str, b.columns)) for b in bags if hasattr(b, "columns")]
    if not named or len(named) < len(bags):
        return None
    first = named[0]
    for index, columns in enumerate(named):
        if columns != first:
            raise BagError(
                f"{name}[{index}] has the columns {columns}, but those of {name}[0] "
                f"are {first}. All bags must have the same columns in the same order."
            )
    bag_column = next((c for c in first if c.lower() in BAG_COLUMNS), None)
    if bag_column is not None:
        raise BagError(
            f"{name} is a list of frames with a column {bag_column!r}, which is no "
            "feature. Make bags from the one long frame, with bags, y = "
            f"Bags.from_frame(df, bag={bag_column!r}, y=...)."
        )
    return None if all(c.isdigit() for c in first) else first
