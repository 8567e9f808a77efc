"""pandas: every kind of column, index and single value comes back as it was."""

import datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transit import there_and_back

from mlmi_sklearn.exceptions import PersistenceError
from mlmi_sklearn.persistence import tables
from mlmi_sklearn.persistence.api import _BY_TAG
from mlmi_sklearn.persistence.codec import Reader

MASKED = [f"{u}Int{n}" for u in ("", "U") for n in (8, 16, 32, 64)]
MASKED += ["Float32", "Float64", "boolean"]


def same_dtype(found, expected):
    assert type(found) is type(expected)
    assert found == expected
    assert str(found) == str(expected)


STRINGS = [pd.StringDtype("python")]
if tables._CHOOSES_MISSING:  # pandas 2.3 and later
    STRINGS.append(pd.StringDtype("python", na_value=np.nan))
DTYPES = [
    *map(pd.api.types.pandas_dtype, MASKED),
    *STRINGS,
    np.dtype("int8"),
    np.dtype(">f4"),
    np.dtype("M8[ns]"),
    np.dtype("U3"),
    np.dtype(object),
    pd.DatetimeTZDtype("ns", "UTC"),
    pd.DatetimeTZDtype("s", "Europe/Vienna"),
    pd.PeriodDtype("M"),
    pd.PeriodDtype("Q-DEC"),
    pd.CategoricalDtype(["b", "a"], ordered=True),
    pd.CategoricalDtype(["b", "a"], ordered=False),
    pd.CategoricalDtype([3, 1]),
    pd.CategoricalDtype(),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_types_come_back(dtype):
    found = there_and_back(dtype)
    same_dtype(found, dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        assert found.ordered is dtype.ordered
        if dtype.categories is not None:
            assert found.categories.tolist() == dtype.categories.tolist()
    if isinstance(dtype, pd.StringDtype):
        assert found.storage == dtype.storage
        assert (found.na_value is pd.NA) is (dtype.na_value is pd.NA)


@pytest.mark.parametrize(
    "dtype",
    [
        np.dtype("V8"),
        np.dtype([("a", int)]),
        pd.IntervalDtype("int64"),
        pd.SparseDtype(float),
    ],
    ids=str,
)
def test_other_types_are_refused(dtype):
    with pytest.raises(PersistenceError, match=r"x"):
        there_and_back(dtype)


@pytest.mark.parametrize(
    "storage", ["pyarrow", "python"], ids=["with pyarrow", "without"]
)
def test_texts_need_no_pyarrow(storage, monkeypatch):
    """A file that names it is read without it, as texts of Python."""
    make = pd.StringDtype

    def lacking(storage=None, **options):
        if storage == "pyarrow":
            raise ImportError("no pyarrow")
        return make(storage, **options)

    node = {"is": "dtype", "type": "string", "storage": storage, "missing": False}
    monkeypatch.setattr(pd, "StringDtype", lacking)
    found = Reader(_BY_TAG, {}).unpack(node)
    assert found.storage == "python"
    assert (found.na_value is pd.NA) is not tables._CHOOSES_MISSING


def test_an_older_pandas_reads_texts_with_the_missing_value_that_it_has(monkeypatch):
    make = pd.StringDtype
    monkeypatch.setattr(pd, "StringDtype", lambda storage: make(storage))
    monkeypatch.setattr(tables, "_CHOOSES_MISSING", False)
    node = {"is": "dtype", "type": "string", "storage": "python", "missing": False}
    assert Reader(_BY_TAG, {}).unpack(node) == make("python")


COLUMNS = {
    "numbers": [1.5, np.nan, 3.0],
    "objects": pd.Series(["x", None, 1], dtype=object),
    "objects that are texts": pd.Series(["x", "y", "z"], dtype=object),
    "texts": pd.Series(["x", "", "long"]),
    "times": pd.Series(pd.to_datetime(["2020-01-01", None, "2021-05-06"])),
    "times in seconds": pd.Series(np.array([1, 2, 3], "M8[s]")),
    "zones": pd.Series(
        pd.DatetimeIndex(["2020-07-01 12:00", None, "2020-01-01"], tz="Europe/Vienna")
    ),
    "zones in ms": pd.Series(
        pd.DatetimeIndex(["2020-07-01", None, "2020-01-01"], tz="UTC").as_unit("ms")
    ),
    "spans": pd.Series(pd.to_timedelta(["1s", None, "2 days"])),
    "periods": pd.Series(pd.PeriodIndex(["2020-01", None, "2021-03"], freq="M")),
    "quarters": pd.Series(pd.PeriodIndex(["2020Q1", "2020Q2", "2021Q4"], freq="Q-DEC")),
    "categories": pd.Series(pd.Categorical(["u", None, "v"], ["w", "v", "u"])),
    "ordered": pd.Series(pd.Categorical([3, 1, 3], [3, 2, 1], ordered=True)),
    **{name: pd.Series([1, None, 0], dtype=name) for name in MASKED[:-1]},
    "boolean": pd.Series([True, None, False], dtype="boolean"),
    **{
        f"strings {i}": pd.Series(["x", None, "y"], dtype=d)
        for i, d in enumerate(STRINGS)
    },
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_come_back(name):
    series = pd.Series(COLUMNS[name], name=("a", 1))
    series.index = pd.Index([10, 20, 5], name="id")
    found = there_and_back(series)
    pd.testing.assert_series_equal(found, series, check_freq=False)
    assert found.dtype == series.dtype
    assert found.name == ("a", 1)
    assert found.index.name == "id"
    missing = [a is b for a, b in zip(found, series, strict=True) if b is pd.NA]
    assert all(missing)
    frame = pd.DataFrame({"b": [1, 2, 3], "a": series.to_numpy()}, index=series.index)
    frame["a"] = series
    frame.columns.name = "what"
    found = there_and_back(frame)
    pd.testing.assert_frame_equal(found, frame, check_freq=False)
    assert found.columns.name == "what"


INDICES = {
    "range": pd.RangeIndex(3, 12, 2, name="r"),
    "range without a name": pd.RangeIndex(4),
    "integers": pd.Index([3, 1, 2], dtype="int8", name="i"),
    "floats": pd.Index([0.5, np.nan], name=1),
    "objects": pd.Index(["a", "b"], dtype=object, name="o"),
    "mixed": pd.Index(["a", 1, None], dtype=object),
    "texts": pd.Index(["a", "b"], name="t"),
    "empty": pd.Index([], dtype=object, name="e"),
    "times": pd.DatetimeIndex(["2020-01-01", "2020-01-05"], name="d"),
    "zones": pd.DatetimeIndex(["2020-01-01", "2020-01-05"], tz="Asia/Tokyo", name="z"),
    "spans": pd.to_timedelta(["1s", "3s"]).rename("s"),
    "periods": pd.PeriodIndex(["2020", "2022"], freq="Y", name="p"),
    "categories": pd.CategoricalIndex(["b", "a"], ["b", "a"], ordered=True, name="c"),
    "masked": pd.Index([1, 2], dtype="Int16", name="m"),
    "levels": pd.MultiIndex.from_tuples(
        [("a", 1), ("b", 2), ("a", 2)], names=["x", None]
    ),
    "levels of categories": pd.MultiIndex.from_arrays(
        [pd.Categorical(["u", "v"]), pd.to_datetime(["2020", "2021"])],
        names=["x", "y"],
    ),
}


@pytest.mark.parametrize("name", INDICES)
def test_indices_come_back(name):
    index = INDICES[name]
    found = there_and_back(index)
    pd.testing.assert_index_equal(found, index, exact=True)
    assert list(found.names) == list(index.names)
    assert type(found) is type(index)
    frame = pd.DataFrame({"a": np.arange(len(index))}, index=index)
    pd.testing.assert_frame_equal(there_and_back(frame), frame, check_freq=False)


def test_an_index_of_intervals_is_refused():
    index = pd.interval_range(0, 3)
    for value in (index, pd.MultiIndex.from_arrays([index, [1, 2, 3]])):
        with pytest.raises(PersistenceError, match=r"^x cannot be saved"):
            there_and_back(value)


def test_a_column_that_is_refused_is_named():
    frame = pd.DataFrame({"a": [1], "b": [lambda: 1]})
    with pytest.raises(PersistenceError, match=r"^x\['b'\]\[0\] cannot be saved"):
        there_and_back(frame)


def test_a_frame_keeps_its_columns_in_order_though_they_share_a_name():
    frame = pd.DataFrame([[1, 2.5, "x"]], columns=["b", "a", "b"], index=["row"])
    pd.testing.assert_frame_equal(there_and_back(frame), frame)
    empty = pd.DataFrame(columns=["a", "b"], dtype=float)
    pd.testing.assert_frame_equal(there_and_back(empty), empty)


TIMES = st.datetimes(
    datetime.datetime(1700, 1, 1),
    datetime.datetime(2200, 1, 1),
)
ZONES = st.sampled_from([None, "UTC", "Europe/Vienna", "America/St_Johns"])
UNITS = st.sampled_from(["s", "ms", "us", "ns"])


@settings(max_examples=50, deadline=None)
@given(TIMES, ZONES, UNITS)
def test_any_time_comes_back(when, zone, unit):
    time = pd.Timestamp(when).as_unit(unit)
    if zone is not None:
        time = time.tz_localize("UTC").tz_convert(zone)
    found = there_and_back(time)
    assert found == time
    assert found.unit == unit
    assert found.isoformat() == time.isoformat()
    assert str(found.tz) == str(time.tz)
    span = pd.Timedelta(time.asm8.view("i8") % 10**9, "s").as_unit(unit)
    again = there_and_back(span)
    assert again == span
    assert again.unit == unit
    assert type(again) is pd.Timedelta


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-100, 100)), min_size=1, max_size=5))
def test_any_masked_column_comes_back(values):
    series = pd.Series(values, dtype="Int16")
    pd.testing.assert_series_equal(there_and_back(series), series)
