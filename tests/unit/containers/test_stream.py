"""Streams: what they say of their rows, and what they read."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from mlmi_sklearn import MAMLClassifier, Stream

X = np.arange(60.0, dtype=np.float32).reshape(20, 3)
Y = np.arange(20) % 3


class Pairs(IterableDataset):
    def __iter__(self):
        return iter(zip(X, Y, strict=True))


class Samples(Dataset):
    """Without targets."""

    def __len__(self):
        return 20

    def __getitem__(self, row):
        return X[row]


def dask_array():
    return pytest.importorskip("dask.array").from_array(X, chunks=(7, 2))


def dask_frame():
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    return dd.from_pandas(pd.DataFrame(X, columns=list("abc")), npartitions=3)


SOURCES = {
    "array": lambda: Stream(X, Y),
    "blocks": lambda: Stream(X, Y, block_rows=7),
    "data set": lambda: Stream(TensorDataset(torch.tensor(X), torch.tensor(Y))),
    "no targets": lambda: Stream(Samples(), Y, block_rows=3),
    "iterable": lambda: Stream(Pairs()),
    "loader": lambda: Stream(DataLoader(Pairs(), batch_size=6)),
    "dask": lambda: Stream(dask_array(), Y),
    "dask frame": lambda: Stream(dask_frame(), Y),
}


def gathered(stream, **kwargs):
    pieces = list(stream.blocks(**kwargs))
    return tuple(np.concatenate(column) for column in zip(*pieces, strict=True))


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source_gives_the_same_rows(make):
    stream = make()
    assert stream.shape == (20, 3)
    assert stream.dtype == np.float32
    np.testing.assert_array_equal(stream.y, Y)
    rows, values, y = gathered(stream)
    np.testing.assert_array_equal(rows, np.arange(20))
    np.testing.assert_array_equal(values, X)
    np.testing.assert_array_equal(y, Y)


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_selections_of_selections_read_their_rows(make):
    chosen = make()[np.array([1, 4, 5, 12, 13, 19])][np.array([0, 2, 5]), ...]
    rows, values, y = gathered(chosen)
    np.testing.assert_array_equal(rows, np.arange(3))
    np.testing.assert_array_equal(values, X[[1, 5, 19]])
    np.testing.assert_array_equal(y, Y[[1, 5, 19]])
    np.testing.assert_array_equal(chosen.y, Y[[1, 5, 19]])


def test_blocks_in_another_order_keep_their_numbers():
    stream = Stream(X, Y, block_rows=7)[np.arange(2, 20)].map(lambda x: x[:, :1])
    rows, values, y = gathered(stream, order=lambda n: np.arange(n)[::-1])
    assert rows[0] > rows[-1]
    np.testing.assert_array_equal(values, X[2:][rows, :1])
    np.testing.assert_array_equal(y, Y[2:][rows])


def test_single_rows_in_any_order():
    index = np.array([5, 2, 2, 19, 0])
    stream = Stream(X, Y)
    np.testing.assert_array_equal(stream.read(index), X[index])
    np.testing.assert_array_equal(gathered(stream[index])[1], X[index])
    np.testing.assert_array_equal(stream[index].read(np.array([3, 0])), X[[19, 5]])


def test_a_parquet_folder(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(X, columns=list("abc")).assign(label=Y)
    for part in range(2):
        rows = slice(10 * part, 10 * part + 10)
        frame[rows].to_parquet(tmp_path / f"{part}.parquet", row_group_size=4)
    stream = Stream.from_parquet(tmp_path, target="label")
    assert stream.feature_names == ["a", "b", "c"]
    assert stream.dtype == np.float32
    np.testing.assert_array_equal(stream.y, Y)
    np.testing.assert_array_equal(gathered(stream)[1], X)
    some = Stream.from_parquet(tmp_path / "1.parquet", columns=["c", "a"])
    assert some.y is None
    np.testing.assert_array_equal(
        np.concatenate([x for _, x, _ in some.blocks()]), X[10:, [2, 0]]
    )
    with pytest.raises(ValueError, match="no column 'labels_'; it has"):
        Stream.from_parquet(tmp_path, target="labels_")
    with pytest.raises(ValueError, match=r"holds no file named \*\.parquet"):
        (tmp_path / "empty").mkdir()
        Stream.from_parquet(tmp_path / "empty")


def test_a_stream_is_not_read_as_a_whole_by_those_who_do_not_know_it():
    with pytest.raises(TypeError, match=r"not turned into an array.*stream\.read"):
        np.asarray(Stream(X))
    with pytest.raises(TypeError, match="not turned into an array"):
        MAMLClassifier().fit(Stream(X), np.arange(len(X)) % 2)


def test_single_rows_of_what_comes_in_blocks_are_refused(tmp_path):
    dask = pytest.importorskip("dask.array")
    blocks = Stream(dask.from_array(X, chunks=(7, 2)))
    with pytest.raises(TypeError, match="data come in blocks"):
        blocks.read(np.array([0]))


def test_what_cannot_be_a_stream_is_refused():
    with pytest.raises(TypeError, match="cannot read a list"):
        Stream([[1.0]])
    with pytest.raises(ValueError, match="block_rows must be at least 1, got 0"):
        Stream(X, block_rows=0)
    with pytest.raises(TypeError, match="indexed by rows alone"):
        Stream(X)[:, 0]
    with pytest.raises(ValueError, match="in ascending order only"):
        Stream(X, block_rows=5)[[3, 1]]
    with pytest.raises(ValueError, match="made 1 rows of 20"):
        gathered(Stream(X, Y).map(lambda x: x if len(x) == 1 else x[:1]))


def test_an_iterable_must_keep_its_length_and_yield_pairs():
    class Fewer(IterableDataset):
        n = 8

        def __iter__(self):
            self.n -= 1
            return iter([(np.zeros(2), 1)] * self.n)

    stream = Stream(Fewer())
    assert len(stream) == 7  # the first pass
    with pytest.raises(ValueError, match="6 rows in this pass, but 7 in the first"):
        list(stream.blocks())
    triples = TensorDataset(*[torch.zeros(4, 2)] * 3)
    with pytest.raises(ValueError, match="yields tuples of 3"):
        Stream(triples).head()
