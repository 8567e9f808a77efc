"""Odd things to pass as X: containers, types, columns, cells, scales and shapes."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import torch
from oddities import collect, if_installed, layouts, masked, objects, with_cell
from scipy import sparse

from mlmi_sklearn import Bags

__all__ = ["BAGS", "ROWS"]

same = partial(collect, "X", "same")
close = partial(collect, "X", "close")
unusual = partial(collect, "X", "any")
refused = partial(collect, "X", "refused")


def frame(values, names=None, index=None):
    names = [f"c{i}" for i in range(values.shape[1])] if names is None else names
    return pd.DataFrame(values, columns=names, index=index)


def columns(values):
    return {f"c{i}": values[:, i] for i in range(values.shape[1])}


def arrow_table(values):
    import pyarrow

    return pyarrow.table(columns(values))


def with_column(values, column):
    """Return a frame whose last column is another one."""
    table = frame(values)
    table.isetitem(table.shape[1] - 1, column)
    return table


def scaled(values, factor):
    with np.errstate(over="ignore", under="ignore"):
        return values * np.asarray(factor, dtype=values.dtype)


def wide(values):
    return values.astype(np.float64)


CONTAINERS = [
    *same(
        frame=frame,
        frame_without_names=pd.DataFrame,
        frame_in_disorder=lambda v, rng: frame(v, index=rng.permutation(len(v)) % 3),
        frame_with_unicode=lambda v: frame(v, ["ü🧠" * i for i in range(v.shape[1])]),
        polars=lambda v: pl.DataFrame(columns(v)),
        tensor=lambda v: torch.from_numpy(v.copy()),
        tensor_with_gradient=lambda v: torch.from_numpy(v.copy()).requires_grad_(),
        tensor_column_major=lambda v: torch.from_numpy(v.T.copy()).T,
    ),
    *same(["bags"], list_of_rows=list),
    *close(
        lists=lambda v: v.tolist(),  # which are of double precision
        tuples=lambda v: tuple(map(tuple, v.tolist())),
        frame_of_objects=lambda v: frame(v).astype(object),
        frame_of_nullables=lambda v: frame(v).astype("Float64"),
        **if_installed(
            "pyarrow",
            frame_of_arrow=lambda v: frame(v).astype("double[pyarrow]"),
        ),
    ),
    *unusual(
        frame_of_sparse=lambda v: frame(v).astype(pd.SparseDtype(v.dtype, 0.0)),
        frame_with_a_name_twice=lambda v: frame(v, ["a"] * v.shape[1]),
        frame_with_mixed_names=lambda v: frame(v, ["a", *range(v.shape[1] - 1)]),
        frame_with_levels=lambda v: frame(
            v, pd.MultiIndex.from_tuples([("a", i) for i in range(v.shape[1])])
        ),
        csr=sparse.csr_matrix,
        csc=sparse.csc_array,
        coo=sparse.coo_array,
        dok=sparse.dok_array,
        lil=sparse.lil_array,
        dia=sparse.dia_array,
        bsr=sparse.bsr_array,
        sparse_tensor=lambda v: torch.from_numpy(v.copy()).to_sparse(),
        **if_installed("pyarrow", arrow_table=arrow_table),
    ),
    *refused(
        sparse_with_inf=lambda v: sparse.csr_matrix(np.full_like(v, np.inf)),
        sparse_complex=lambda v: sparse.csr_matrix(v + 1j),
        complex_tensor=lambda v: torch.from_numpy(v + 1j),
    ),
]

TYPES = [
    *close(
        float16=lambda v: v.astype(np.float16),
        float32=lambda v: v.astype(np.float32),
        float64=wide,
        longdouble=lambda v: v.astype(np.longdouble),
        objects=lambda v: v.astype(object),
        decimals=lambda v: objects(v, Decimal),
        fractions=lambda v: objects(v, Fraction),
        half_tensor=lambda v: torch.from_numpy(v.copy()).half(),
        brain_float_tensor=lambda v: torch.from_numpy(v.copy()).bfloat16(),
    ),
    *unusual(
        int8=lambda v: np.clip(v, -100, 100).astype(np.int8),
        large_int64=lambda v: (v * 2**55).astype(np.int64),
        largest_uint64=lambda v: np.where(v > 0, np.uint64(2**64 - 1), np.uint64(0)),
        beyond_int64=lambda v: objects(v, lambda c: int(c) * 10**30),
        bool=lambda v: v > 0,
        numbers_as_text=lambda v: v.astype(str),
        numbers_as_bytes=lambda v: v.astype("S"),
        matrix=np.asmatrix,
    ),
    *refused(
        complex=lambda v: v + 1j,
        complex_on_the_real_line=lambda v: v.astype(complex),
        records=lambda v: np.zeros(len(v), dtype=[("a", float), ("b", int)]),
    ),
    *refused(["nan"], masked_cell=lambda v, rng: masked(v, rng, hidden=True)),
    *refused(
        ["tables"],
        longdouble_beyond_float64=lambda v: np.full(v.shape, np.longdouble("1e4000")),
        beyond_float64=lambda v: objects(v, lambda c: 10**400),
        complex_objects=lambda v: objects(v, complex),
        text=lambda v: np.full(v.shape, "größe"),
        bytes=lambda v: np.full(v.shape, b"\xff"),
        dates=lambda v: v.astype("M8[D]"),
        durations=lambda v: v.astype("m8[s]"),
    ),
]

COLUMNS = [
    *unusual(
        numbered_categories=lambda v: with_column(
            v, pd.Categorical(np.arange(len(v)) % 2)
        ),
        nullable_integers=lambda v: with_column(
            v, pd.array(np.arange(len(v)), dtype="Int64")
        ),
        booleans=lambda v: with_column(v, np.arange(len(v)) > 2),
    ),
    *refused(
        complex_column=lambda v: with_column(v, np.full(len(v), 1j)),
        column_of_lists=lambda v: with_column(v, [[1]] * len(v)),
    ),
    *refused(
        ["tables"],
        column_of_text=lambda v: with_column(v, ["x"] * len(v)),
        categories=lambda v: with_column(v, pd.Categorical(["x", *"ß" * (len(v) - 1)])),
        periods=lambda v: with_column(v, pd.period_range("2020", periods=len(v))),
    ),
    *refused(
        ["tables", "wraps"],
        dates_in_a_column=lambda v: with_column(
            v, pd.date_range("2020", periods=len(v))
        ),
        dates_with_zone=lambda v: with_column(
            v, pd.date_range("2020", periods=len(v), tz="UTC")
        ),
        durations_in_a_column=lambda v: with_column(
            v, pd.to_timedelta(np.arange(len(v)), "D")
        ),
    ),
    *refused(
        ["nan"],
        column_with_NA=lambda v: with_column(
            v, pd.array([None, *range(1, len(v))], dtype="Int64")
        ),
        column_of_nothing=lambda v: with_column(v, None),
    ),
]

CELLS = [
    *refused(
        ["nan"],
        one_NaN=lambda v, rng: with_cell(v, np.nan, rng),
        one_None=lambda v, rng: with_cell(v, None, rng),
        one_NA=lambda v, rng: with_cell(v, pd.NA, rng),
        one_NaT=lambda v, rng: with_cell(v, pd.NaT, rng),
        all_NaN=lambda v: np.full_like(v, np.nan),
    ),
    *refused(
        ["tables"],
        one_word=lambda v, rng: with_cell(v, "größe", rng),
        one_object=lambda v, rng: with_cell(v, object(), rng),
    ),
    *refused(
        one_inf=lambda v, rng: with_cell(v, np.inf, rng),
        one_minus_inf=lambda v, rng: with_cell(v, -np.inf, rng),
        one_list=lambda v, rng: with_cell(v, [1, 2, 3], rng),
        one_dict=lambda v, rng: with_cell(v, {"a": 1}, rng),
    ),
    *unusual(
        beyond_float32=lambda v, rng: with_cell(wide(v), 1e300, rng),
        largest_number=lambda v, rng: with_cell(v, float(np.finfo(v.dtype).max), rng),
    ),
]

SCALES = unusual(
    constant_columns=np.ones_like,
    zeros=np.zeros_like,
    columns_alike=lambda v: np.repeat(v[:, :1], v.shape[1], axis=1),
    rows_alike=lambda v: np.repeat(v[:1], len(v), axis=0),
    times_1e30=lambda v: scaled(v, 1e30),
    times_1e_minus_30=lambda v: scaled(v, 1e-30),
    times_1e150=lambda v: scaled(wide(v), 1e150),
    times_1e_minus_300=lambda v: scaled(wide(v), 1e-300),
    subnormal=lambda v: scaled(v, np.finfo(v.dtype).smallest_subnormal),
    columns_of_all_scales=lambda v: scaled(v, np.logspace(-30, 30, v.shape[1])),
    negative_zeros=lambda v: np.where(v > 0, v, v.dtype.type(-0.0)),
)

SHAPES = [
    *refused(
        one_axis=lambda v: v[:, 0],
        a_number=lambda v: 3.0,
        no_axis=lambda v: np.float64(3),
        nothing=lambda v: None,
        a_word=lambda v: "X",
        a_dict=lambda v: {"X": v},
        a_set=lambda v: {1.0, 2.0},
        a_generator=lambda v: (row for row in v),
        an_object=lambda v: object(),
        a_class=lambda v: np.ndarray,
        no_rows=lambda v: v[:0],
        no_columns=lambda v: v[:, :0],
        a_frame_without_rows=lambda v: frame(v[:0]),
        empty_list=lambda v: [],
        ragged_lists=lambda v: [*v.tolist()[1:], [1.0] * (v.shape[1] + 1)],
    ),
    *unusual(
        one_row_less=lambda v: v[1:],
        one_row_more=lambda v: np.concatenate([v, v[:1]]),
        one_column_less=lambda v: v[:, 1:],
        one_column_more=lambda v: np.hstack([v, v[:, :1]]),
        one_row=lambda v: v[:1],
        images=lambda v: np.resize(v, (len(v), 1, 8, 8)),
        three_axes=lambda v: v[:, :, None],
        five_axes=lambda v: v[:, :, None, None, None],
        thirty_axes=lambda v: v.reshape(*v.shape, *[1] * 28),
    ),
]


def column_of(cells):
    """Return an object array whose cells are arrays."""
    column = np.empty(len(cells), dtype=object)
    column[:] = cells
    return column


def single(values):
    """Return bags of one instance, as a list."""
    return [row[None] for row in values]


#: What only estimators of bags take: the same rows, as bags of one instance.
BAGS = [
    *same(
        bags=lambda v: Bags(v, lengths=np.ones(len(v), dtype=int)),
        bags_of_a_larger_store=lambda v: Bags(
            np.repeat(v, 3, axis=0), lengths=np.ones(3 * len(v), dtype=int)
        )[1::3],
        list_of_bags=single,
        list_of_column_major_bags=lambda v: [np.asfortranarray(b) for b in single(v)],
        list_of_tensors=lambda v: [torch.from_numpy(b.copy()) for b in single(v)],
        list_of_frames=lambda v: [frame(b) for b in single(v)],
        array_of_bags=lambda v: v[:, None],
        objects_of_bags=lambda v: column_of(single(v)),
        series_of_bags=lambda v: pd.Series(single(v)),
        frame_of_bags=lambda v: pd.DataFrame({"bag": single(v)}),
    ),
    *unusual(bags_of_two=lambda v: [np.stack([row, row]) for row in v]),
    *refused(
        an_empty_bag=lambda v: [*single(v)[1:], v[:0]],
        a_wider_bag=lambda v: [*single(v)[1:], np.ones((1, v.shape[1] + 1))],
        a_bag_of_one_axis=lambda v: [*single(v)[1:], v[0]],
        a_bag_with_NaN=lambda v: [*single(v)[1:], np.full_like(v[:1], np.nan)],
        a_bag_of_text=lambda v: [*single(v)[1:], np.full((1, v.shape[1]), "x")],
        a_bag_of_dates=lambda v: [*single(v)[1:], v[:1].astype("M8[D]")],
        a_bag_of_complex_numbers=lambda v: [*single(v)[1:], v[:1] + 1j],
        no_bag=lambda v: [*single(v)[1:], None],
        bags_of_bags=lambda v: [Bags(v, [len(v)])] * len(v),
        masked_bags=lambda v, rng: [masked(b, rng, hidden=True) for b in single(v)],
    ),
]

ROWS = [*layouts("X"), *CONTAINERS, *TYPES, *COLUMNS, *CELLS, *SCALES, *SHAPES]
