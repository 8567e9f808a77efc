"""What the reports share: values beside those of real data, reasons and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

__all__ = ["SyntheticReport"]


class SyntheticReport(Mapping[str, float]):
    """Values by name, those of real data, and what is wrong.

    Parameters
    ----------
    values : dict of str to float
        What was found for synthetic data.
    reference : dict of str to float
        What real data would have, for the same names or fewer.
    reasons : sequence of str
        What is wrong, in words; empty if nothing is.

    Examples
    --------
    >>> from mlmi_sklearn.metrics.synthetic import SyntheticReport
    >>> report = SyntheticReport({"recall": 0.1}, {"recall": 0.9}, ["low recall"])
    >>> report["recall"], report.reasons
    (0.1, ('low recall',))
    >>> report.to_frame()
            synthetic  real
    recall        0.1   0.9
    """

    _good = "Nothing is wrong."
    _bad = "Something is wrong"

    def __init__(
        self, values: Mapping[str, float], reference: Mapping[str, float], reasons: Any
    ) -> None:
        self._values = dict(values)
        self.reference = dict(reference)
        self.reasons: tuple[str, ...] = tuple(reasons)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def verdict(self) -> str:
        """A sentence that sums the report up."""
        return (
            f"{self._bad}: {'; '.join(self.reasons)}." if self.reasons else self._good
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each value, with the columns "synthetic" and "real".

        Returns
        -------
        DataFrame
            NaN where there is no value of real data.
        """
        columns = {"synthetic": self._values, "real": self.reference}
        return pd.DataFrame(columns, index=list(self._values), dtype=float)

    def __repr__(self) -> str:
        return f"{self.to_frame().round(3).to_string()}\n{self.verdict}"
