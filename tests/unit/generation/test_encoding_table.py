"""Tables come back as they were, and samples as tables of the same kind."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_selector
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler

from mlmi_sklearn.generation.encoding import TableCodec, make_codec

RNG = np.random.default_rng(0)
N = 60


def noise(codec, n=200, size=1.5, seed=0):
    """Return vectors as no generator would make them."""
    rng = np.random.default_rng(seed)
    return (size * rng.normal(size=(n, codec.width_))).astype(np.float32)


def with_gaps(values, dtype):
    series = pd.Series(values).astype(object)
    series[::7] = None
    return series.astype(dtype)


COLUMNS = {
    "int64": pd.Series(RNG.integers(-3, 900, N)),
    "int8": pd.Series(RNG.integers(-128, 127, N).astype("int8")),
    "uint64": pd.Series(RNG.integers(0, 2**50, N, dtype="uint64")),
    "large int": pd.Series(RNG.integers(2**61, 2**61 + 500, N)),
    "float32": pd.Series(RNG.normal(size=N).astype("float32")),
    "float64": pd.Series(RNG.normal(size=N)),
    "decimals": pd.Series(RNG.normal(size=N).round(3)),
    "whole floats": pd.Series(RNG.integers(0, 900, N).astype(float)),
    "NaN": with_gaps(RNG.normal(size=N), "float64"),
    "whole NaN": with_gaps(RNG.integers(0, 900, N), "float64"),
    "Int64": with_gaps(RNG.integers(0, 900, N), "Int64"),
    "UInt8": with_gaps(RNG.integers(0, 200, N), "UInt8"),
    "Float64": with_gaps(RNG.normal(size=N), "Float64"),
    "boolean": with_gaps(RNG.random(N) < 0.3, "boolean"),
    "bool": pd.Series(RNG.random(N) < 0.3),
    "str": with_gaps(RNG.choice(["a", "bc", ""], N), "str"),
    "string": with_gaps(RNG.choice(["a", "bc", ""], N), "string"),
    "object": with_gaps(RNG.choice(["a", "bc", ""], N), object),
    "mixed": pd.Series([3, "a", None, 2.5, ("x", 1)] * (N // 5), dtype=object),
    "object floats": with_gaps(RNG.normal(size=N), object),
    "object ints": with_gaps(RNG.integers(0, 900, N), object),
    "category": pd.Series(
        RNG.choice(["x", "y"], N), dtype=pd.CategoricalDtype(["z", "y", "x"])
    ),
    "ordered": with_gaps(
        RNG.choice(["lo", "hi"], N), pd.CategoricalDtype(["lo", "mid", "hi"], True)
    ),
    "int category": pd.Series(RNG.choice([7, 3, 5], N), dtype="category"),
    "intervals": pd.cut(pd.Series(RNG.normal(size=N)), 3),
    "periods": pd.Series(pd.period_range("2020-01", periods=6, freq="M")).sample(
        N, replace=True, ignore_index=True, random_state=0
    ),
    "days": pd.Timestamp("2020")
    + pd.to_timedelta(pd.Series(RNG.integers(0, 99, N)), "D"),
    "nanoseconds": pd.Series(RNG.integers(10**18, 10**18 + 10**15, N).view("M8[ns]")),
    "zoned": pd.Series(
        pd.date_range("2024-03-31", periods=N, freq="h", tz="Europe/Berlin")
    ),
    "NaT": with_gaps(pd.date_range("1950", periods=N, freq="D"), "M8[s]"),
    "durations": pd.Series(pd.to_timedelta(RNG.integers(0, 999, N), "min")),
    "constant": pd.Series(["one"] * N),
    "constant gaps": with_gaps([4.5] * N, "float64"),
    "nothing": pd.Series([np.nan] * N),
    "nothing at all": pd.Series([None] * N, dtype=object),
    "no time": pd.Series([pd.NaT] * N),
    "amounts": pd.Series(np.where(RNG.random(N) < 0.5, 0, RNG.lognormal(size=N))),
    "likert": pd.Series(RNG.integers(1, 6, N)),
}


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back(name):
    X = pd.DataFrame({name: COLUMNS[name]})
    before = X.copy(deep=True)
    codec = TableCodec().fit(X)
    Z = codec.encode(X)
    assert np.isfinite(Z).all()
    assert Z.shape == (N, codec.width_)
    rtol = 1e-5 if Z.dtype == np.float32 else 1e-12
    pd.testing.assert_frame_equal(codec.decode(Z), X, rtol=rtol)
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("size", [1.0, 1e8])
def test_any_vectors_become_columns_of_the_kind(name, size):
    X = pd.DataFrame({name: COLUMNS[name]})
    codec = TableCodec().fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = codec.decode(noise(codec, size=size))
    found, known = out[name], X[name]
    assert found.dtype == known.dtype
    assert out.index.equals(pd.RangeIndex(200))
    assert known.isna().any() or not found.isna().any()
    kind = codec.columns_[0].kind
    if kind in ("categorical", "binary", "constant"):
        assert set(found.dropna()) <= set(known.dropna())
    else:
        found, known = found.dropna(), known.dropna()
        assert found.min() >= known.min()
        assert found.max() <= known.max()


def test_long_ranges_of_whole_numbers_stay_in_them():
    X = pd.DataFrame({"a": np.array([5, 2**61 - 7, 2**40 + 1], dtype="uint64")})
    codec = TableCodec().fit(X)
    assert codec.encode(X).dtype == np.float64
    out = codec.decode(noise(codec, size=1e8))["a"]
    assert (out.min(), out.max()) == (5, 2**61 - 7)


def test_whole_numbers_too_large_for_signed_ones_are_taken_for_floats():
    X = pd.DataFrame({"a": np.array([5, 2**64 - 1, 2**63], dtype="uint64")})
    codec = TableCodec().fit(X)
    out = codec.decode(codec.encode(X))
    assert out["a"].dtype == "uint64"
    np.testing.assert_allclose(out["a"].astype(float), X["a"].astype(float))


def test_a_whole_table_comes_back(frame):
    codec = TableCodec().fit(frame)
    pd.testing.assert_frame_equal(codec.decode(codec.encode(frame)), frame)
    assert [column.name for column in codec.columns_] == list(frame)
    assert codec.blocks_[-1].stop == codec.width_
    out = codec.decode(noise(codec))
    assert out.dtypes.equals(frame.dtypes)
    # What comes out can go in, and then comes out again.
    pd.testing.assert_frame_equal(codec.decode(codec.encode(out)), out)


def test_it_pickles_without_torch_modules_and_repeats(frame):
    codec = TableCodec().fit(frame)
    other = pickle.loads(pickle.dumps(codec))
    Z = noise(codec)
    pd.testing.assert_frame_equal(other.decode(Z), codec.decode(Z))
    again = copy.deepcopy(codec).fit(frame)
    np.testing.assert_array_equal(again.encode(frame), codec.encode(frame))


def test_what_columns_are_taken_for(frame):
    codec = TableCodec().fit(frame)
    kinds = {column.name: column.kind for column in codec.columns_}
    expected = {
        "int64": "integer",
        "float64": "continuous",
        "whole NaN": "integer",
        "bool": "categorical",
        "object floats": "continuous",
        "days": "datetime",
        "constant": "constant",
        "nothing": "constant",
        "amounts": "bounded",
        "likert": "quantised",
    }
    assert {name: kinds[name] for name in expected} == expected


# -- what is on a grid stays on it -----------------------------------------------------


@pytest.mark.parametrize("divide", [1, 16])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_digits_share_a_scale_and_stay_on_their_levels(divide, dtype):
    X = (load_digits().data / divide).astype(dtype)
    codec = TableCodec().fit(X)
    assert codec.shared_range_ == (0, 16 / divide)
    assert [block.kind for block in codec.blocks_] == ["sigmoid"]
    Z = codec.encode(X)
    assert Z.dtype == dtype
    assert (Z.min(), Z.max()) == (0, 1)
    np.testing.assert_array_equal(codec.decode(Z), X)
    out = codec.decode(noise(codec))
    assert out.dtype == dtype
    for j in range(64):
        assert np.isin(out[:, j], X[:, j]).all()


def test_digits_in_a_frame_beside_a_category():
    X = load_digits(as_frame=True).data.assign(
        site=lambda d: np.where(d.index % 3, "a", "b"),
        day=lambda d: pd.Timestamp("2020") + pd.to_timedelta(d.index, "D"),
    )
    codec = TableCodec().fit(X)
    assert codec.shared_range_ == (0, 16)
    kinds = [block.kind for block in codec.blocks_]
    assert kinds == ["softmax", "sigmoid", "linear"]


def test_breast_cancer_is_standardised_and_keeps_its_decimals():
    X = load_breast_cancer().data
    codec = TableCodec().fit(X)
    assert codec.shared_range_ is None
    assert codec.blocks_ == [("linear", 0, 30, -1)]
    Z = codec.encode(X)
    np.testing.assert_allclose(Z.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(Z.std(0), 1, atol=1e-9)
    # The heavy tails are bent: plain standardisation reaches 11.
    assert np.abs(Z).max() < 8
    np.testing.assert_allclose(codec.decode(Z), X, rtol=1e-12)
    assert (codec.decode(noise(codec))[:, 0] * 1000 % 1 < 1e-6).mean() > 0.4


def test_binary_and_quantised_columns_of_diabetes():
    X = load_diabetes().data
    codec = TableCodec().fit(X)
    kinds = [column.kind for column in codec.columns_]
    assert kinds[1] == "binary"
    assert codec.columns_[1].n_states == 2
    out = codec.decode(noise(codec))
    for j, kind in enumerate(kinds):
        if kind in ("binary", "quantised"):
            assert np.isin(out[:, j], X[:, j]).all()


def test_amounts_have_a_gate():
    X = COLUMNS["amounts"].to_frame("amounts")
    codec = TableCodec().fit(X)
    assert codec.blocks_ == [("softmax", 0, 2, -1), ("linear", 2, 3, 0)]
    Z = codec.encode(X)
    zero = X["amounts"].to_numpy() == 0
    np.testing.assert_array_equal(Z[zero], [[0, 1, 0]] * zero.sum())
    np.testing.assert_allclose(Z[~zero, 2].mean(), 0, atol=1e-9)


def test_frequent_numbers_of_shares_come_back_exactly():
    X = np.where(RNG.random(1000) < 0.3, 99.0, RNG.normal(size=1000))[:, None]
    codec = TableCodec().fit(X)
    out = codec.decode(codec.encode(X))
    assert (out == 99).sum() == (X == 99).sum()
    ordinary = np.tile([[1.0, 0.0, 50.0]], (3, 1))
    assert codec.decode(ordinary).max() <= 99


def test_new_numbers_of_a_grid_count_as_the_nearest():
    X = np.repeat([[0.0], [1.0], [4.0]], 5, axis=0)
    codec = TableCodec().fit(X)
    out = codec.decode(codec.encode(np.array([[-7.0], [0.4], [2.6], [9.0]])))
    assert out.ravel().tolist() == [0, 0, 4, 4]


# -- arrays ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int64", "uint8", "bool"]
)
def test_arrays_keep_their_type(dtype):
    X = RNG.integers(0, 2 if dtype == "bool" else 90, (N, 3)).astype(dtype)
    codec = TableCodec().fit(X)
    out = codec.decode(codec.encode(X))
    assert out.dtype == X.dtype
    np.testing.assert_array_equal(out, X)
    assert codec.decode(noise(codec)).dtype == X.dtype


@pytest.mark.parametrize(
    "X",
    [
        np.array([["a", "b"], ["ccc", "b"]] * 4),
        np.array([["a", 1.5], [None, 2.5], ["b", np.nan]] * 4, dtype=object),
        np.array([["2020-01-01"], ["2020-01-09"]] * 4, dtype="M8[D]"),
        np.array([[1.0, np.nan], [2.5, 3.0]] * 4),
    ],
    ids=["text", "objects", "days", "gaps"],
)
def test_other_arrays(X):
    codec = TableCodec().fit(X)
    out = codec.decode(codec.encode(X))
    assert out.dtype == X.dtype
    pd.testing.assert_frame_equal(pd.DataFrame(out), pd.DataFrame(X))


def test_lists_and_tensors():
    rows = [[1.0, 2.0], [3.5, 4.0], [5.0, 7.5]]
    codec = TableCodec().fit(rows)
    Z = torch.from_numpy(codec.encode(torch.tensor(rows)))
    np.testing.assert_allclose(codec.decode(Z), rows, rtol=1e-6)


@pytest.mark.parametrize(
    "columns",
    [
        pd.Index(["a", "a"]),
        pd.Index([5, 3], name="number"),
        pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]),
        pd.Index(["a", 1], dtype=object),
    ],
    ids=["twice", "numbers", "levels", "mixed"],
)
def test_odd_column_names(columns):
    X = pd.DataFrame({0: range(5), 1: list("ababa")})
    X.columns = columns
    codec = TableCodec().fit(X)
    pd.testing.assert_frame_equal(codec.decode(codec.encode(X)), X)


def test_a_table_of_constants_still_has_a_width():
    X = pd.DataFrame({"a": [1, 1], "b": ["x", "x"]})
    codec = TableCodec().fit(X)
    assert codec.width_ == 1
    pd.testing.assert_frame_equal(codec.decode(codec.encode(X)), X)


def test_one_row_and_no_rows():
    X = pd.DataFrame({"a": [1.5], "b": ["x"], "d": [pd.Timestamp("2020")]})
    codec = TableCodec().fit(X)
    pd.testing.assert_frame_equal(codec.decode(codec.encode(X)), X)
    empty = codec.decode(np.zeros((0, codec.width_)))
    assert empty.shape == (0, 3)
    assert empty.dtypes.equals(X.dtypes)


# -- arguments -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chosen",
    [
        ["b"],
        [1],
        [-2],
        np.array([False, True, False]),
        lambda X: ["b"],
        make_column_selector(pattern="^b$"),
    ],
    ids=["name", "position", "from the end", "mask", "callable", "selector"],
)
def test_categories_by_choice(chosen):
    X = pd.DataFrame({"a": [1.5, 2, 3], "b": [10, 20, 30], "c": [4, 5, 6]})
    codec = TableCodec(chosen).fit(X)
    kinds = [column.kind for column in codec.columns_]
    assert kinds == ["integer" if k == 2 else kinds[k] for k in range(3)]
    assert [kind == "categorical" for kind in kinds] == [False, True, False]
    pd.testing.assert_frame_equal(codec.decode(codec.encode(X)), X)
    with pytest.raises(ValueError, match=r"'b' holds 11.*Known are 10, 20, 30"):
        codec.encode(X.assign(b=[10, 11, 30]))


def test_chosen_categories_of_an_array():
    X = np.array([[1.0, 0.25], [3.0, 0.5], [1.0, 0.75], [np.nan, 0.125]])
    codec = TableCodec([0]).fit(X)
    assert codec.columns_[0].n_states == 3
    np.testing.assert_array_equal(codec.decode(codec.encode(X)), X)


@pytest.mark.parametrize("preprocess", ["standard", "minmax", "none"])
def test_named_scales(preprocess):
    X = load_digits().data
    codec = TableCodec(preprocess=preprocess).fit(X)
    Z = codec.encode(X)
    np.testing.assert_array_equal(codec.decode(Z), X)
    kinds = {block.kind for block in codec.blocks_}
    assert kinds == {"softmax", "sigmoid" if preprocess == "minmax" else "linear"}
    # Nearly constant pixels would reach 42 standard deviations.
    assert np.abs(Z).max() <= (16 if preprocess == "none" else 12)


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        PCA(3, random_state=0),
        PowerTransformer(),
        QuantileTransformer(n_quantiles=20, output_distribution="normal"),
    ],
    ids=lambda t: type(t).__name__,
)
def test_transformers(transformer):
    a = RNG.normal(size=(N, 3))
    X = pd.DataFrame(np.c_[a, a[:, 0]], columns=list("abcd")).assign(
        e=COLUMNS["NaN"], f=COLUMNS["str"]
    )
    codec = TableCodec(preprocess=transformer).fit(X)
    assert not hasattr(transformer, "n_features_in_")
    linear = codec.blocks_[-1]
    assert linear.width == (3 if isinstance(transformer, PCA) else 5)
    out = codec.decode(codec.encode(X))
    assert out["f"].equals(X["f"])
    if not isinstance(transformer, PCA):
        pd.testing.assert_frame_equal(out, X, atol=1e-6)
    wild = codec.decode(noise(codec, size=30))
    assert wild[list("abcd")].notna().all(axis=None)
    assert (wild["a"] <= X["a"].max()).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"categorical_features": ["lenght"]}, "Did you mean 'length'"),
        ({"categorical_features": [2]}, "has 2 columns, counted from 0"),
        ({"categorical_features": [True]}, "mask of 1 columns, but X has 2"),
        ({"categorical_features": "width"}, r"pass \['width'\]"),
        ({"preprocess": "robust"}, "preprocess must be one of 'auto'"),
        ({"preprocess": StandardScaler}, "preprocess must be"),
        ({"preprocess": make_column_selector()}, "inverse_transform"),
    ],
)
def test_wrong_arguments(arguments, message):
    X = pd.DataFrame({"length": [1.0, 2.0], "width": [1, 2]})
    with pytest.raises(ValueError, match=message):
        TableCodec(**arguments).fit(X)


def test_names_need_names():
    with pytest.raises(ValueError, match="no column names"):
        TableCodec(["a"]).fit(np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"reshape\(-1, 1\)"),
        (np.zeros((2, 3, 4)), ValueError, "got 3 dimensions"),
        (np.zeros((0, 2)), ValueError, r"0 sample\(s\)"),
        (pd.DataFrame(index=[0, 1]), ValueError, r"0 feature\(s\)"),
        ([[1.0], [np.inf]], ValueError, "column 0 holds infinity"),
        ([[1j], [2]], ValueError, "complex"),
        (
            np.array([[{}], [1]], dtype=object),
            TypeError,
            "argument must be a string or",
        ),
        (pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), ValueError, "to_dense"),
    ],
)
def test_wrong_tables(X, error, message):
    with pytest.raises(error, match=message):
        TableCodec().fit(X)


def test_sparse_matrices():
    from scipy.sparse import csr_array

    with pytest.raises(TypeError, match="toarray"):
        TableCodec().fit(csr_array(np.eye(3)))


def test_tables_unlike_the_first(frame):
    X = frame[["float64", "str", "bool"]]
    codec = TableCodec().fit(X)
    with pytest.raises(ValueError, match=r"lacks \['bool'\]"):
        codec.encode(X.rename(columns={"bool": "boole"}))
    with pytest.raises(ValueError, match="another order"):
        codec.encode(X[["str", "float64", "bool"]])
    with pytest.raises(ValueError, match="2 features, but 3 were expected"):
        codec.encode(X.iloc[:, :2])
    with pytest.raises(ValueError, match="'float64' has 1 missing cells, but had none"):
        codec.encode(X.assign(float64=X["float64"].mask(X.index == 3)))
    with pytest.raises(ValueError, match="'float64' holds infinity"):
        codec.encode(X.assign(float64=np.inf))
    with pytest.raises(ValueError, match="'str' holds 'new', which training did not"):
        codec.encode(X.assign(str=["new"] + ["a"] * (N - 1)))


@pytest.mark.parametrize("Z", [np.zeros((3, 2)), np.zeros(3), np.zeros((1, 3, 1))])
def test_wrong_vectors(Z):
    codec = TableCodec().fit(RNG.normal(size=(9, 3)))
    with pytest.raises(ValueError, match=r"Z must have shape \(n, 3\)"):
        codec.decode(Z)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_vectors_must_be_finite(bad):
    codec = TableCodec().fit(RNG.normal(size=(9, 2)))
    with pytest.raises(ValueError, match="finite"):
        codec.decode(np.array([[0.0, bad]]))


def test_identifiers_are_warned_of():
    X = pd.DataFrame({"id": [f"patient {i}" for i in range(80)], "x": range(80)})
    with pytest.warns(UserWarning, match="'id' has 80 categories in 80 rows"):
        TableCodec().fit(X)


def test_the_order_of_rows_does_not_matter(frame):
    shuffled = frame.sample(frac=1, random_state=1)
    one, two = TableCodec().fit(frame), TableCodec().fit(shuffled)
    np.testing.assert_allclose(one.encode(frame), two.encode(frame), atol=1e-9)


def test_make_codec_takes_tables():
    codec = make_codec(pd.DataFrame({"a": [1, 2]}), ["a"], "minmax")
    assert isinstance(codec, TableCodec)
    assert (codec.categorical_features, codec.preprocess) == (["a"], "minmax")
    assert isinstance(make_codec([[1, 2]]), TableCodec)
