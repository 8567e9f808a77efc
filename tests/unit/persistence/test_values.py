"""Single values: what goes in comes out, with its type, or is refused at once."""

import datetime
from collections import OrderedDict, defaultdict
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.utils import Bunch
from transit import there_and_back

from mlmi_sklearn import Bags
from mlmi_sklearn.exceptions import PersistenceError


def same(a, b):
    """Whether two values are equal, and of the same types throughout."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return (
            a.dtype == b.dtype
            and a.shape == b.shape
            and a.flags.f_contiguous == b.flags.f_contiguous
            and (
                all(map(same, a.ravel().tolist(), b.ravel().tolist()))
                if a.dtype == object
                else np.ascontiguousarray(a).tobytes()
                == np.ascontiguousarray(b).tobytes()
            )
        )
    if isinstance(a, np.longdouble):  # some of its bytes mean nothing
        return repr(a) == repr(b)
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return repr(a) == repr(b)
    if isinstance(a, dict | MappingProxyType):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


VALUES = [
    None, True, 0, -(2**80), 10**300, 1.5, -0.0, float("nan"), float("inf"),
    float("-inf"), 5e-324, 1 + 2j, complex("nan+infj"), "", "ü☢\ud800\0", b"", b"\xff",
    bytearray(b"ab"), [], (), {}, [1, [2.0, (3, "4")]], {1: 2, "1": 3, (1, 2): None},
    {1.5: "a", None: "b", True: "c"}, {"is": "object"}, OrderedDict(b=1, a=2),
    defaultdict(list, a=[1]), defaultdict(None, a=1), MappingProxyType({"a": (1,)}),
    Bunch(a=1, b="c"), {1, 2, "x"}, frozenset({(1, 2)}), slice(1, None, -2),
    range(5, -3, -2), Path("a") / "b", datetime.date(2020, 2, 29),
    datetime.datetime(2020, 1, 1, 12, tzinfo=datetime.UTC),
    datetime.timedelta(days=-1, microseconds=3), np.float16(0.1), np.int8(-3),
    np.bool_(True), np.str_("é"), np.str_(""), np.bytes_(b"x"), np.complex64(1j),
    np.longdouble(1) / 3, np.datetime64("2020-01-01", "D"), np.datetime64("NaT", "s"),
    np.timedelta64(5, "ms"), np.dtype("float16"), np.dtype(">i4"), np.dtype(object),
    np.float32, np.int64, int, str, np.log1p, torch.float32, torch.device("cuda:1"),
    torch.optim.SGD, torch.nn.ReLU, pd.NA, pd.NaT,
    pd.Timestamp("2020", tz="Europe/Vienna"),
    pd.Timedelta("1s"),
]  # fmt: skip


# By number: the text of a set differs from process to process.
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_plain_values(value):
    found = there_and_back(value)
    if value is pd.NaT or value is pd.NA:
        assert found is value
    elif isinstance(value, complex):
        assert repr(found) == repr(value)
    else:
        assert same(found, value)


ARRAYS = {
    "float16": np.linspace(-1, 1, 7, dtype=np.float16),
    "int8": np.arange(-3, 4, dtype=np.int8),
    "bool": np.array([[True], [False]]),
    "zero-d": np.array(3.5),
    "empty": np.empty((0, 3), np.float32),
    "empty-objects": np.empty((2, 0), object),
    "big-endian": np.arange(5, dtype=">f8"),
    "big-endian-2d": np.arange(6, dtype=">u2").reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "complex": np.array([1j, 2]),
    "long": np.array([1, 2], np.longdouble) / 3,
    "text": np.array(["a", "", "☢☢"]),
    "bytes": np.array([b"a", b"", b"ccc"]),
    "no-text": np.array(["", ""], dtype="U0"),
    "objects": np.array(["a", None, 1.5, (1, 2), float("nan")], dtype=object),
    "lists": np.array([[1], [2, 3], None], dtype=object)[:2],
    "days": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "quarters": np.array([1, 2], "m8[25us]"),
    "uint64": np.array([2**64 - 1], np.uint64),
    "nan-payload": np.array([0x7FF8000000000123], np.int64).view(np.float64),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name):
    found = there_and_back(ARRAYS[name])
    assert same(found, ARRAYS[name])
    assert found.flags.writeable


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        st.one_of(
            hnp.scalar_dtypes(),
            hnp.unicode_string_dtypes(max_len=3),
            hnp.byte_string_dtypes(max_len=3),
        ),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    ),
    st.booleans(),
)
def test_any_array(array, turned):
    array = array.T if turned else array
    assert same(there_and_back(array), array)


def test_views_become_arrays_of_their_own():
    base = np.arange(24.0).reshape(4, 6)
    for view in (base[::2, ::-1], base.T[1:], np.broadcast_to(base[0], (3, 6))):
        found = there_and_back(view)
        np.testing.assert_array_equal(found, view)
        assert found.base is None or found.base.size == found.size


def test_memory_maps_become_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    found = there_and_back(mapped)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, mapped)
    bags = Bags(np.load(tmp_path / "a.npy", mmap_mode="r").reshape(5, 1), [2, 3])
    again = there_and_back(bags)
    (tmp_path / "a.npy").unlink()
    assert again == Bags(np.arange(5).reshape(5, 1), [2, 3])


def test_masked_and_strings():
    masked = np.ma.MaskedArray([1.0, 2.0, 3.0], [True, False, False])
    found = there_and_back(masked)
    assert found.tolist() == [None, 2.0, 3.0]
    texts = np.array(["a", "long enough"], dtype=np.dtypes.StringDType())
    found = there_and_back(texts)
    assert found.dtype == texts.dtype
    assert found.tolist() == texts.tolist()


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr"])
@pytest.mark.parametrize("kind", ["matrix", "array"])
def test_sparse(form, kind):
    make = getattr(sparse, f"{form}_{kind}")
    value = make(np.array([[0, 1.5], [0, 0], [2, 0]], np.float32))
    found = there_and_back(value)
    assert type(found) is type(value)
    assert found.dtype == value.dtype
    assert (found != value).nnz == 0


def test_bags_with_everything():
    bags = Bags(
        np.arange(12, dtype=np.float32).reshape(6, 2),
        [1, 2, 3],
        bag_ids=["a", "b", "c"],
        groups=[1, 1, 2],
        coords=np.arange(12).reshape(6, 2),
        y_instances=[0, 1, -1, 0, 0, 1],
        feature_names=["u", "v"],
    )
    for value in (bags, bags[[2, 0]], Bags(sparse.csr_matrix(bags.values), [6])):
        found = there_and_back(value)
        assert found == value
        assert found.values.dtype == np.float32


FRAMES = [
    pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan], 3: ["x", None]}),
    pd.DataFrame({"c": pd.Categorical(["u", None], ["u", "v"], ordered=True)}),
    pd.DataFrame({"t": pd.date_range("2020", periods=2, tz="Europe/Vienna")}),
    pd.DataFrame({"d": pd.to_datetime(["2020-01-01", None])}),
    pd.DataFrame({"i": pd.array([1, None], dtype="Int64")}),
    pd.DataFrame({"b": pd.array([True, None], dtype="boolean")}),
    pd.DataFrame({"p": pd.period_range("2020-01", periods=2, freq="M")}),
    pd.DataFrame({"s": pd.array(["x", None], dtype="string")}),
    pd.DataFrame([[1, 2.5]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
    pd.DataFrame({"a": [1.0]}, index=["row"]),
    pd.DataFrame(index=range(3)),
    pd.DataFrame([[1, 2]], columns=["same", "same"]),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda f: str(f.columns[:1].tolist()))
def test_frames(frame):
    pd.testing.assert_frame_equal(there_and_back(frame), frame, check_freq=False)
    for i in range(frame.shape[1]):
        column = frame.iloc[:, i]
        found = there_and_back(column)
        pd.testing.assert_series_equal(found, column, check_freq=False)
    pd.testing.assert_index_equal(there_and_back(frame.columns), frame.columns)


@pytest.mark.parametrize("bits", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_generators_go_on(bits):
    generator = np.random.Generator(getattr(np.random, bits)(7))
    generator.random(3)
    generator.integers(5, dtype=np.int32)
    generator.spawn(1)
    found = there_and_back(generator)
    assert found.random(4).tolist() == generator.random(4).tolist()
    ours, theirs = (g.spawn(1)[0].random() for g in (found, generator))
    assert ours == theirs
    state = np.random.RandomState(1)
    state.normal()
    again = there_and_back(state)
    assert again.normal(size=3).tolist() == state.normal(size=3).tolist()


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.int8, torch.bool]
)
def test_tensors_and_modules(dtype):
    tensor = torch.arange(4).reshape(2, 2).to(dtype)
    found = there_and_back(tensor)
    assert found.dtype == dtype
    assert torch.equal(found, tensor)
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.LSTM(3, 2)
    ).eval()
    net[0].bias.requires_grad_(False)
    again = there_and_back(net)
    assert str(again) == str(net)
    x = torch.ones(4, 2)
    assert torch.equal(again(x)[0], net(x)[0])
    assert [p.requires_grad for p in again.parameters()] == [
        p.requires_grad for p in net.parameters()
    ]
    assert not again.training


def test_identity_is_kept():
    array = np.arange(3)
    found = there_and_back([array, array, {"again": array}])
    assert found[0] is found[1] is found[2]["again"]
    tied = torch.nn.Linear(2, 2)
    pair = torch.nn.ModuleList([tied, tied])
    again = there_and_back(pair)
    assert again[0] is again[1]


def test_what_refers_to_itself_or_is_too_deep_is_refused():
    loop = []
    loop.append(loop)
    with pytest.raises(PersistenceError, match="refers to itself"):
        there_and_back(loop)
    table = {}
    table["a"] = [table]
    with pytest.raises(PersistenceError, match="refers to itself"):
        there_and_back(table)
    deep = []
    for _ in range(500):
        deep = [deep]
    with pytest.raises(PersistenceError, match="nested deeply"):
        there_and_back(deep)


@pytest.mark.parametrize(
    "value",
    [
        lambda: 1,
        print,
        open,
        np.load,
        np.array([lambda: 1], dtype=object),
        object(),
        type("Own", (), {})(),
        type("Own", (dict,), {})(),
        type("Own", (str,), {})("x"),
        np.zeros(2, [("a", int)]),
        np.matrix([[1]]),
        iter([1]),
        torch.nn.Linear(1, 1).register_forward_hook(lambda *a: None),
        type("Net", (torch.nn.Module,), {})(),
        pd.arrays.IntervalArray.from_breaks([0, 1]),
    ],
    ids=lambda v: type(v).__name__,
)
def test_other_values_are_refused(value):
    with pytest.raises(PersistenceError, match="x"):
        there_and_back({"x": value})


def test_hooks_are_refused():
    net = torch.nn.Linear(1, 1)
    net.register_forward_hook(lambda *args: None)
    with pytest.raises(PersistenceError, match="module with hooks"):
        there_and_back(net)
