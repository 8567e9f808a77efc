"""Odd things to pass as y, sample_weight, groups, sample_domain and y_target."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import torch
from odd_rows import ROWS
from oddities import collect, if_installed, layouts, masked, objects, with_cell
from scipy import sparse

__all__ = ["BESIDE", "CLASSES", "NUMBERS", "TARGETS"]

#: Names of classes in the order of their codes.
WORDS = np.array(["", "a", "zoë", "脑", "🧠"])


def words(codes):
    return WORDS[codes]


def shifted(values):
    """Return a Series whose index says another order than its values have."""
    return pd.Series(values, index=np.arange(len(values))[::-1])


def containers(argument):
    """Return ways to pass a column that have no meaning."""
    return [
        *collect(
            argument,
            "same",
            list=lambda v: v.tolist(),
            tuple=lambda v: tuple(v.tolist()),
            series=shifted,
            polars_series=lambda v: pl.Series(values=v),
            tensor=lambda v: torch.from_numpy(v.copy()),
        ),
        *collect(argument, "any", objects=lambda v: v.astype(object)),
    ]


def unusable(argument, spares=()):
    """Return what is no column at all, or of another length."""
    return [
        *collect(
            argument,
            "refused",
            spares,
            one_row_less=lambda v: v[1:],
            one_row_more=lambda v: np.concatenate([v, v[:1]]),
            no_rows=lambda v: v[:0],
            a_word=lambda v: argument,
            a_dict=lambda v: {argument: v},
            a_set=lambda v: set(v.tolist()),
            a_generator=lambda v: (value for value in v),
            an_object=lambda v: object(),
            three_axes=lambda v: v[:, None, None],
            square=lambda v: np.tile(v[:, None, None], (1, 2, 2)),
            ragged=lambda v: [[c] * (1 + i % 2) for i, c in enumerate(v.tolist())],
            records=lambda v: np.zeros(len(v), dtype=[("a", float), ("b", int)]),
        ),
        # The label may be one that is not known, or not read.
        *collect(
            argument,
            "refused",
            [*spares, "partial"] if argument == "y" else spares,
            one_list=lambda v, rng: with_cell(v, [1, 2], rng),
            one_dict=lambda v, rng: with_cell(v, {"a": 1}, rng),
            hidden=lambda v, rng: masked(v, rng, hidden=True),
        ),
        *collect(argument, "any", matrix=lambda v: np.asmatrix(v).T),
    ]


same = partial(collect, "y", "same")
unusual = partial(collect, "y", "any")
refused = partial(collect, "y", "refused")

CLASSES = [
    *layouts("y"),
    *containers("y"),
    *unusable("y"),
    *same(
        int8=lambda c: c.astype(np.int8),
        uint8=lambda c: c.astype(np.uint8),
        floats=lambda c: c.astype(float),
        halves=lambda c: c.astype(np.float16),
        largest_uint64=lambda c: c.astype(np.uint64) + np.uint64(2**64 - 9),
        largest_int64=lambda c: c + (2**63 - 9),
        far_apart=lambda c: c * 10**15 + 7,
        unicode=words,
        unicode_objects=lambda c: words(c).astype(object),
        categories=lambda c: pd.Series(pd.Categorical(words(c))),
        categorical=lambda c: pd.Categorical(words(c)),
        nullable_integers=lambda c: pd.Series(c).astype("Int64"),
        strings=lambda c: pd.Series(words(c)).astype("string"),
        long_words=lambda c: np.array(["x" * 5000 + str(k) for k in c]),
        **if_installed(
            "pyarrow",
            arrow_strings=lambda c: pd.Series(words(c)).astype("string[pyarrow]"),
            arrow_integers=lambda c: pd.Series(c).astype("int64[pyarrow]"),
        ),
    ),
    *unusual(
        bytes=lambda c: (c + 65).astype(np.uint8).view("S1"),
        python_integers=lambda c: objects(c, int),
        one_class=np.zeros_like,
        one_row_of_a_class=lambda c: np.where(np.arange(len(c)) == 3, 7, c),
        every_row_a_class=lambda c: np.arange(len(c)),
        negative=lambda c: c - 1,
        booleans=lambda c: c > 0,
        column=lambda c: c[:, None],
        frame=lambda c: pd.DataFrame({"y": c}),
        none_at_all=lambda c: None,
        one_NaN=lambda c, rng: with_cell(c.astype(float), np.nan, rng),
        one_None=lambda c, rng: with_cell(words(c), None, rng),
        all_NaN=lambda c: np.full(len(c), np.nan),
        all_None=lambda c: np.full(len(c), None),
        dates=lambda c: c.astype("M8[D]"),
        dates_in_a_series=lambda c: pd.Series(c.astype("M8[ns]")),
        missing_date=lambda c: np.where(
            c == 0, np.datetime64("NaT", "D"), c.astype("M8[D]")
        ),
        periods=lambda c: pd.Series(pd.period_range("2020", periods=3)[c % 3]),
        durations=lambda c: c.astype("m8[s]"),
        decimals=lambda c: objects(c, Decimal),
        indicators=lambda c: np.column_stack([c > 0, c == 0]).astype(int),
        sparse_indicators=lambda c: sparse.csr_matrix(
            np.column_stack([c > 0, c == 0]).astype(int)
        ),
        several_columns=lambda c: np.column_stack([c, np.arange(len(c)) % 5]),
        no_columns=lambda c: c[:, None][:, :0],
        trailing_zeros=lambda c: np.array(["a" + "\0" * k for k in c], dtype=object),
        lone_surrogates=lambda c: np.array(["\ud800" + str(k) for k in c]),
        nan_as_text=lambda c: np.where(c == 0, "nan", "None"),
        zeros_of_both_signs=lambda c: np.where(np.arange(len(c)) % 2, c, -1.0 * c),
        nested_tuples=lambda c: objects(c, lambda k: (k, "a")),
        categories_that_do_not_occur=lambda c: pd.Series(
            pd.Categorical(words(c), categories=list(WORDS))
        ),
        codes_as_text=lambda c: c.astype(str),
        beyond_int64=lambda c: objects(c, lambda k: k + 2**70),
    ),
    *refused(
        continuous=lambda c: c + np.linspace(0.1, 0.7, len(c)),
        one_inf=lambda c, rng: with_cell(c.astype(float), np.inf, rng),
        complex=lambda c: c + 1j,
    ),
    *refused(
        ["partial"],  # the odd one may be of a row whose label is not read
        mixed=lambda c: np.array([0, *words(c[1:] + 1)], dtype=object),
        mixed_with_floats=lambda c: np.array([0.5, *words(c[1:] + 1)], dtype=object),
        one_NA=lambda c: pd.Series([None, *c[1:].tolist()], dtype="Int64"),
        category_missing=lambda c: pd.Series(pd.Categorical([None, *words(c[1:])])),
        hidden_word=lambda c, rng: masked(words(c), rng, hidden=True),
    ),
]

NUMBERS = [
    *layouts("y"),
    *containers("y"),
    *unusable("y"),
    *same(
        float32=lambda v: v.astype(np.float32),
        longdouble=lambda v: v.astype(np.longdouble),
        nullables=lambda v: pd.Series(v).astype("Float64"),
        decimals=lambda v: objects(v, Decimal),
        **if_installed(
            "pyarrow",
            arrow_numbers=lambda v: pd.Series(v).astype("double[pyarrow]"),
        ),
    ),
    *unusual(
        column=lambda v: v[:, None],
        two_columns=lambda v: np.column_stack([v, -v]),
        no_columns=lambda v: v[:, None][:, :0],
        none_at_all=lambda v: None,
        constant=np.ones_like,
        zeros=np.zeros_like,
        integers=lambda v: v.astype(int),
        booleans=lambda v: v > 0,
        large_integers=lambda v: (v * 2**55).astype(np.int64),
        largest_uint64=lambda v: np.where(v > 0, np.uint64(2**64 - 1), np.uint64(0)),
        numbers_as_text=lambda v: v.astype(str),
        times_1e30=lambda v: v * 1e30,
        times_1e_minus_30=lambda v: v * 1e-30,
        times_1e150=lambda v: v * 1e150,
        times_1e305=lambda v: v * 1e305,
        times_1e_minus_300=lambda v: v * 1e-300,
        subnormal=lambda v: v * np.finfo(float).smallest_subnormal,
        one_outlier=lambda v, rng: with_cell(v, 1e300, rng),
        far_from_zero=lambda v: v + 1e15,
        one_NaN=lambda v, rng: with_cell(v, np.nan, rng),
        all_NaN=lambda v: np.full(len(v), np.nan),
        one_None=lambda v, rng: with_cell(v, None, rng),
    ),
    *refused(
        one_inf=lambda v, rng: with_cell(v, np.inf, rng),
        one_minus_inf=lambda v, rng: with_cell(v, -np.inf, rng),
        text=lambda v: np.full(len(v), "größe"),
        one_word=lambda v, rng: with_cell(v, "größe", rng),
        complex=lambda v: v + 1j,
        dates=lambda v: v.astype("M8[D]"),
        durations=lambda v: v.astype("m8[s]"),
        longdouble_beyond_float64=lambda v: v * np.longdouble("1e4000"),
    ),
]

_WEIGHT = [
    *layouts("sample_weight"),
    *containers("sample_weight"),
    *unusable("sample_weight"),
    *collect(
        "sample_weight",
        "same",
        float32=lambda w: w.astype(np.float32),
        nullables=lambda w: pd.Series(w).astype("Float64"),
        decimals=lambda w: objects(w, Decimal),
    ),
    *collect(
        "sample_weight",
        "any",
        a_number=lambda w: 2.0,
        column=lambda w: w[:, None],
        integers=lambda w: np.ceil(w).astype(np.uint8),
        booleans=lambda w: w > 1,
        some_zero=lambda w: np.where(np.arange(len(w)) < 4, 0.0, w),
        one_not_zero=lambda w: np.eye(len(w))[0],
        times_1e300=lambda w: w * 1e300,
        times_1e_minus_300=lambda w: w * 1e-300,
        subnormal=lambda w: np.full(len(w), np.finfo(float).smallest_subnormal),
        of_all_scales=lambda w: np.logspace(-300, 300, len(w)),
        numbers_as_text=lambda w: w.astype(str),
    ),
    *collect(
        "sample_weight",
        "refused",
        one_NaN=lambda w, rng: with_cell(w, np.nan, rng),
        one_inf=lambda w, rng: with_cell(w, np.inf, rng),
        one_None=lambda w, rng: with_cell(w, None, rng),
        one_negative=lambda w, rng: with_cell(w, -1.0, rng),
        zeros=np.zeros_like,
        text=lambda w: np.full(len(w), "größe"),
        complex=lambda w: w + 1j,
        dates=lambda w: w.astype("M8[D]"),
    ),
]

_GROUPS = [
    *layouts("groups"),
    *containers("groups"),
    *unusable("groups"),
    *collect(
        "groups",
        "same",
        words=words,
        floats=lambda g: g.astype(float),
        categories=lambda g: pd.Series(pd.Categorical(words(g))),
        far_apart=lambda g: g * 10**15,
    ),
    *collect(
        "groups",
        "any",
        one_group=np.zeros_like,
        every_row_a_group=lambda g: np.arange(len(g)),
        one_row_of_a_group=lambda g: np.where(np.arange(len(g)) == 0, 9, g),
        negative=lambda g: g - 1,
        column=lambda g: g[:, None],
        mixed=lambda g: np.array([0, *words(g[1:])], dtype=object),
        dates=lambda g: g.astype("M8[D]"),
        one_NaN=lambda g, rng: with_cell(g.astype(float), np.nan, rng),
        one_None=lambda g, rng: with_cell(words(g), None, rng),
        tuples=lambda g: objects(g, lambda k: (k, "a")),
    ),
]

_DOMAIN = [
    *layouts("sample_domain"),
    *containers("sample_domain"),
    *unusable("sample_domain"),
    *collect(
        "sample_domain",
        "any",
        all_source=lambda d: np.ones_like(d),
        all_target=lambda d: -np.ones_like(d),
        many_domains=lambda d: d * np.arange(1, len(d) + 1),
        floats=lambda d: d.astype(float),
        booleans=lambda d: d > 0,
        a_number=lambda d: 1,
        column=lambda d: d[:, None],
        halves=lambda d: d + 0.5,
        largest=lambda d: d * (2**63 - 1),
        uint64=lambda d: (d + 1).astype(np.uint64),
    ),
    *collect(
        "sample_domain",
        "refused",
        text=lambda d: np.where(d > 0, "s", "t"),
        one_NaN=lambda d, rng: with_cell(d.astype(float), np.nan, rng),
        one_inf=lambda d, rng: with_cell(d.astype(float), np.inf, rng),
        one_None=lambda d, rng: with_cell(d, None, rng),
        complex=lambda d: d + 1j,
        dates=lambda d: d.astype("M8[D]"),
        mixed=lambda d: np.array(["t", *d[1:].tolist()], dtype=object),
    ),
]


_NO_TARGET = ("nothing", "no rows", "a frame without rows")


def of_target(oddities, meant):
    """Return the same for what comes apart for the target.

    What is unusual there may be something else than beside a source, or not looked at.
    None, or no rows, says that there is no target; numbers are what vectors may be
    translated to.
    """
    return [
        replace(
            oddity,
            argument=f"{oddity.argument}_target",
            spares=("translates",) if oddity.name == "one axis" else oddity.spares,
            outcome=oddity.outcome
            if oddity.outcome in meant and oddity.name not in _NO_TARGET
            else "any",
        )
        for oddity in oddities
    ]


_SAME_TARGETS = of_target([*layouts("y"), *containers("y")], ["same"])
_ODD_TARGETS = of_target(unusable("y"), [])

#: What may come beside X and y; labels of a target are like those of the source.
BESIDE = {
    "sample_weight": _WEIGHT,
    "groups": _GROUPS,
    "sample_domain": _DOMAIN,
    "X_target": of_target(ROWS, ["same", "refused"]),
    "y_target": [*_SAME_TARGETS, *_ODD_TARGETS],
}
TARGETS = {"classes": of_target(CLASSES, []), "numbers": of_target(NUMBERS, [])}
