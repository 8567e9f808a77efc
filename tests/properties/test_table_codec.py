"""Properties of tables as vectors, for any columns and any vectors."""

import numpy as np
import pandas as pd
from hypothesis import assume, given
from hypothesis import strategies as st

from mlmi_sklearn.generation.encoding import ImageCodec, TableCodec
from mlmi_sklearn.nn.generation.blocks import OutputActivation

N = st.integers(1, 24)

CELLS = {
    "float": st.floats(-1e6, 1e6).map(lambda x: x + 0.0),
    "wide": st.floats(-1e200, 1e200, allow_subnormal=False),
    "grid": st.sampled_from([0.0, 0.25, 0.5, 3.0]),
    "decimals": st.integers(-999, 999).map(lambda k: k / 100),
    "int": st.integers(-(2**40), 2**40),
    "small": st.integers(0, 3),
    "bool": st.booleans(),
    "text": st.text("abc", max_size=3),
    "gaps": st.none() | st.floats(-10, 10, width=16),
    "text gaps": st.none() | st.sampled_from("xyz"),
}
TYPES = {"gaps": "float64", "text": "str", "text gaps": "string"}


@st.composite
def tables(draw):
    n = draw(N)
    names = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4))
    columns = [
        pd.Series(
            draw(st.lists(CELLS[name], min_size=n, max_size=n)), dtype=TYPES.get(name)
        )
        for name in names
    ]
    frame = pd.DataFrame(dict(enumerate(columns)))
    frame.columns = names
    return frame


def assert_alike(out, X):
    """Compare tables to the precision of a column beside its own range."""
    others = X.select_dtypes(exclude="number")
    pd.testing.assert_frame_equal(out.select_dtypes(exclude="number"), others)
    assert out.dtypes.equals(X.dtypes)
    for j in range(X.shape[1]):
        if X.dtypes.iloc[j].kind in "if":
            left, right = out.iloc[:, j].to_numpy(), X.iloc[:, j].to_numpy()
            atol = 1e-6 * np.nanmax(np.abs(right), initial=0)
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=atol)


@given(X=tables())
def test_a_table_comes_back(X):
    codec = TableCodec().fit(X)
    Z = codec.encode(X)
    assert np.isfinite(Z).all()
    assert_alike(codec.decode(Z), X)


@given(X=tables(), seed=st.integers(0, 99), size=st.sampled_from([0.1, 1, 30, 1e12]))
def test_any_vectors_are_a_table_of_that_kind(X, seed, size):
    codec = TableCodec().fit(X)
    Z = size * np.random.default_rng(seed).normal(size=(30, codec.width_))
    out = codec.decode(Z)
    assert out.dtypes.equals(X.dtypes)
    assert out.columns.equals(X.columns)
    for j, column in enumerate(codec.columns_):
        drawn, known = out.iloc[:, j].dropna(), X.iloc[:, j].dropna()
        if column.storage.role == "label" or not column.has_value:
            assert drawn.isin(known).all()
        elif len(drawn):
            assert known.min() <= drawn.min()
            assert drawn.max() <= known.max()
        assert column.nullable or len(drawn) == 30


@given(X=tables(), seed=st.integers(0, 99))
def test_what_is_drawn_can_be_encoded_and_comes_back(X, seed):
    codec = TableCodec().fit(X)
    Z = np.random.default_rng(seed).normal(size=(20, codec.width_))
    out = codec.decode(Z)
    assert_alike(codec.decode(codec.encode(out)), out)


@given(X=tables(), data=st.data())
def test_a_row_is_encoded_and_decoded_alone(X, data):
    codec = TableCodec().fit(X)
    row = data.draw(st.integers(0, len(X) - 1))
    Z = codec.encode(X)
    np.testing.assert_array_equal(codec.encode(X.iloc[[row]])[0], Z[row])
    alone = codec.decode(Z[[row]])
    pd.testing.assert_frame_equal(
        alone, codec.decode(Z).iloc[[row]].reset_index(drop=True)
    )


@given(X=tables())
def test_blocks_are_what_an_activation_takes(X):
    codec = TableCodec().fit(X)
    activation = OutputActivation(codec.blocks_)
    assert activation.width == codec.width_
    Z = codec.encode(X)
    for block in codec.blocks_:
        own = Z[:, block.start : block.stop]
        if block.kind == "softmax":
            assert ((own == 0) | (own == 1)).all()
            assert (own.sum(1) == 1).all()
        if block.gate >= 0:
            assert (own[Z[:, block.gate] == 0] == 0).all()


@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "bool", "float32"]),
    low=st.integers(-900, 900),
    width=st.integers(0, 900),
    seed=st.integers(0, 99),
)
def test_images_come_back(dtype, low, width, seed):
    assume(not dtype.startswith("u") or (low >= 0 and low + width < 256))
    rng = np.random.default_rng(seed)
    X = rng.integers(low, low + width, (3, 2, 4, 5), endpoint=True).astype(dtype)
    codec = ImageCodec("full").fit(X)
    Z = codec.encode(X)
    assert np.abs(Z).max() <= 1
    np.testing.assert_allclose(
        codec.decode(Z), X, atol=1e-6 * (1.0 + X.max() - 1.0 * X.min())
    )
    wild = codec.decode(9 * rng.normal(size=Z.shape))
    assert wild.dtype == X.dtype
    assert (wild >= X.min()).all()
    assert (wild <= X.max()).all()
