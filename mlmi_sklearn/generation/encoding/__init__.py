"""From what a user has to what a net generates, and back.

A codec learns from training data (``fit``), turns data into numbers for a net
(``encode``) and samples of the net into data (``decode``). Its ``blocks_`` say what the
numbers are. State is plain: arrays, lists and dataclasses of such.
"""

from __future__ import annotations

from .factory import make_codec
from .images import ImageCodec
from .kinds import CategoricalColumn, ColumnKind, ConstantColumn, NumericColumn
from .table import TableCodec

__all__ = [
    "CategoricalColumn",
    "ColumnKind",
    "ConstantColumn",
    "ImageCodec",
    "NumericColumn",
    "TableCodec",
    "make_codec",
]
