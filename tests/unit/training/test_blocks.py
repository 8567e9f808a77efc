"""Rows that come in blocks: each once, with its target, mixed within a buffer."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmi_sklearn.training import streams
from mlmi_sklearn.training.batches import TensorBatches
from mlmi_sklearn.training.data import Targets, TrainingData
from mlmi_sklearn.training.distributed import Ranks
from mlmi_sklearn.training.streams import BlockRows, StreamRows, _Pool


class Source:
    """Numbers in blocks; row i is (i, 10 i)."""

    def __init__(self, sizes, buffer_size=None, rows=None, targets=False):
        self.sizes, self.buffer_size, self.targets = sizes, buffer_size, targets
        n = sum(sizes)
        self.rows = np.arange(n) if rows is None else rows
        self.orders = []

    sample_shape = (2,)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, rows):
        return Source(self.sizes, self.buffer_size, self.rows[rows], self.targets)

    def read(self, rows):
        chosen = self.rows[rows].astype(np.float32)
        return np.stack([chosen, 10 * chosen], axis=1)

    def blocks(self, order=None):
        edges = np.cumsum([0, *self.sizes])
        visited = np.arange(len(self.sizes)) if order is None else order(len(edges) - 1)
        self.orders.append(list(visited))
        for b in visited:
            inside = (self.rows >= edges[b]) & (self.rows < edges[b + 1])
            places = np.flatnonzero(inside)
            if len(places):
                values = self.read(places)
                y = -values[:, 0] if self.targets else None
                yield places, values, y


def targets(n):
    return Targets(torch.arange(n) + 100, torch.arange(float(n)) + 0.5)


def passes(source, sizes, seed=None, recode=None):
    rows = BlockRows(source, torch.float32, recode=recode)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return list(rows.batches(targets(len(source)), iter(sizes), generator))


def check(batches):
    """Return the rows of each batch, after looking at their targets."""
    for x, t in batches:
        assert x.dtype == torch.float32
        assert torch.equal(x[:, 1], 10 * x[:, 0])
        assert torch.equal(t.y, x[:, 0].long() + 100)
        assert torch.equal(t.weight, x[:, 0] + 0.5)
    return [x[:, 0].int().tolist() for x, _ in batches]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    batch=st.integers(1, 8),
    buffer=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_each_row_comes_once_and_not_before_its_block(sizes, batch, buffer, seed):
    n = sum(sizes)
    wanted = [batch] * (n // batch) + [n % batch] * (n % batch > 0)
    source = Source(sizes, buffer)
    found = check(passes(source, wanted, seed))
    assert [len(rows) for rows in found] == wanted
    assert sorted(i for rows in found for i in rows) == list(range(n))
    (order,) = source.orders
    assert sorted(order) == list(range(len(sizes)))
    # A batch is formed as soon as the buffer is full, so of what was read until then.
    edges = np.cumsum([0, *sizes])
    read, given = 0, 0
    block_of = {i: b for b in range(len(sizes)) for i in range(edges[b], edges[b + 1])}
    rank = {b: k for k, b in enumerate(order)}
    ends = np.cumsum([sizes[b] for b in order])
    for rows in found:
        given += len(rows)
        read = max(read, *(rank[block_of[i]] for i in rows))
        # Never more waits than the buffer and the block and batch that fill it.
        assert ends[read] - given <= max(buffer, batch) + max(sizes)


def test_the_seed_alone_decides_about_the_order():
    def rows(seed):
        return check(passes(Source([5, 7, 4], 6), [4] * 4, seed))

    assert rows(0) == rows(0)
    assert rows(0) != rows(1)


def test_in_order_batches_are_as_they_are_read():
    found = check(passes(Source([5, 2, 4], 6), [3] * 9))
    assert found == [[0, 1, 2, 3, 4], [5, 6], [7, 8, 9, 10]]


def test_a_large_buffer_mixes_everything():
    found = check(passes(Source([10] * 10, 100), [50, 50], seed=3))
    first = np.array(found[0])
    assert len(set(first // 10)) == 10
    assert found[0] != sorted(found[0])


def test_half_a_buffer_waits_for_blocks_to_come():
    """Of 4 blocks of 10, with room for 20: after the second, rows leave until < 10."""
    source = Source([10] * 4, 20)
    found = check(passes(source, [5] * 8, seed=0))
    (order,) = source.orders
    rank = {b: k for k, b in enumerate(order)}
    latest = [max(rank[i // 10] for i in rows) for rows in found]
    # Batches 1 to 3 are of the first two blocks: 20, 15 and 10 rows wait before them.
    assert max(latest[:3]) == 1
    waiting = {i for b in order[:2] for i in range(10 * b, 10 * b + 10)}
    assert all(set(rows) <= waiting for rows in found[:3])


@pytest.mark.parametrize(
    ("shape", "dtype", "rows"),
    [
        ((2,), torch.float32, 2**22 // 8),
        ((2,), torch.float64, 2**22 // 16),
        ((3, 5), torch.float32, 2**22 // 60),
        ((), torch.float32, 2**22 // 4),
        ((0,), torch.float32, 2**22 // 4),
        ((2**21, 3), torch.float32, 1),
    ],
)
def test_four_megabytes_of_rows_are_mixed_together(shape, dtype, rows):
    source = Source([1])
    source.sample_shape = shape
    assert BlockRows(source, dtype)._buffer_size() == rows
    source.buffer_size = 7
    assert BlockRows(source, dtype)._buffer_size() == 7


def test_targets_that_come_along_are_encoded_anew():
    class Recode:
        def __init__(self, chosen=None):
            self.seen, self.chosen = [], chosen

        def __call__(self, rows, y):
            self.seen.append(rows.tolist())
            if rows[0] == 0:
                return None  # as in the first pass
            return Targets(torch.from_numpy(y))

        def select(self, rows):
            return Recode(rows.tolist())

    recode = Recode()
    rows = BlockRows(Source([2, 3], targets=True), torch.float32, recode=recode)
    first, second = rows.batches(targets(5), [], None)
    assert first[1].y.tolist() == [100, 101]
    assert first[1].weight.tolist() == [0.5, 1.5]
    assert second[1].y.tolist() == [-2.0, -3.0, -4.0]
    assert second[1].weight is None
    assert recode.seen == [[0, 1], [2, 3, 4]]
    part = rows.take(torch.tensor([1, 4]))
    assert part.recode.chosen == [1, 4]
    assert [x[:, 0].tolist() for x, _ in part.batches(targets(2), [], None)] == [
        [1],
        [4],
    ]
    assert rows.to(torch.device("meta")).recode is recode
    # Without them in the data, nobody is asked.
    silent = BlockRows(Source([2]), torch.float32, recode=Recode())
    ((_, found),) = silent.batches(targets(2), [], None)
    assert found.y.tolist() == [100, 101]
    assert silent.recode.seen == []
    nothing = BlockRows(Source([2]), torch.float32)
    ((_, found),) = nothing.batches(Targets(None), [], None)
    assert found == (None, None)
    ((_, found),) = nothing.batches(Targets(None, torch.arange(2.0)), [], None)
    assert found.weight.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", [StreamRows, BlockRows])
def test_rows_are_selected_unread_and_read_in_part(kind):
    rows = kind(Source([4, 3]), torch.float64)
    assert len(rows) == 7
    assert rows.nbytes == 2**62
    assert rows.device == torch.device("cpu")
    part = rows.take(torch.tensor([1, 3, 6]))
    assert type(part) is kind
    assert len(part) == 3
    assert part.dtype == torch.float64
    for chosen, expected in (
        (rows.narrow(2, 5), [2, 3, 4]),
        (part.narrow(1, 3), [3, 6]),
    ):
        assert chosen.dtype == torch.float64
        assert chosen.tolist() == [[i, 10.0 * i] for i in expected]
    moved = rows.to(torch.device("meta"))
    assert type(moved) is kind
    assert moved.narrow(0, 2).device.type == "meta"
    assert moved.take(torch.tensor([0])).device.type == "meta"
    assert moved.dtype == torch.float64


def tensor(values, dtype=torch.float32):
    return StreamRows(None, dtype)._tensor(np.asarray(values))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "u1", "?"])
def test_numbers_become_tensors_of_their_own(kind, dtype):
    values = np.array([[1, 0], [1, 1]], kind)
    found = tensor(values, dtype)
    assert found.dtype == dtype
    assert found.tolist() == [[1, 0], [1, 1]]
    values.flags.writeable = False
    tensor(values, dtype).add_(1)
    assert values.tolist() == [[1, 0], [1, 1]]


def test_what_is_no_number_is_refused():
    for values, kind in ((["a"], "<U1"), ([None], "object"), ([1j], "complex128")):
        told = (
            rf"^X has dtype {kind}; a stream must hold numbers\. Encode text and "
            r"categories with Stream\.map\.$"
        )
        with pytest.raises(ValueError, match=told):
            tensor(values)
    missing = (
        "Input X contains NaN or infinity. Fill it in on the way: "
        "Stream(X).map(imputer.transform)."
    )
    for bad in (np.nan, np.inf, -np.inf):
        for dtype in (torch.float32, torch.float64):
            with pytest.raises(ValueError, match=f"^{re.escape(missing)}$"):
                tensor([1.0, bad], dtype)
    large = (
        "X contains a value too large for float32. Scale it, or pass dtype='float64' "
        "to the estimator."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(large)}$"):
        tensor([1.0, 1e39])
    assert tensor([1.0, 1e39], torch.float64).tolist() == [1.0, 1e39]
    # The sum of numbers that are finite need not be.
    assert tensor([1.7e308] * 3, torch.float64).tolist() == [1.7e308] * 3


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-6, 9), max_size=12), st.integers(0, 8), st.booleans())
def test_a_pool_gives_back_what_was_put_in(moves, size, weighted):
    """Positive numbers put rows in, negative ones take some out."""
    generator = torch.Generator().manual_seed(0)
    pool, waiting, last = _Pool(generator, size), [], 0
    for n in moves:
        if n > 0:
            new = torch.arange(last, last + n)
            weight = new.double() if weighted else None
            pool.add(new.float()[:, None] * torch.ones(2), Targets(new, weight))
            waiting += new.tolist()
            last += n
        elif waiting:
            pool.mix()
            x, t = pool.pop(-n)
            assert len(x) == min(-n, len(waiting))
            assert torch.equal(x[:, 0].long(), t.y)
            assert torch.equal(x[:, 1], x[:, 0])
            assert (t.weight is not None) is weighted
            assert not weighted or torch.equal(t.weight, t.y.double())
            for i in t.y.tolist():
                waiting.remove(i)
        assert len(pool) == len(waiting)


def test_a_pool_takes_memory_once():
    generator = torch.Generator().manual_seed(0)
    pool = _Pool(generator, 10)
    for _ in range(5):
        pool.add(torch.ones(4, 3), Targets(torch.ones(4), None))
        assert len(pool._columns[0]) == 14  # what came, and what is expected
        pool.pop(4)
    pool.add(torch.ones(16, 3), Targets(torch.ones(16), None))
    assert len(pool._columns[0]) == 16  # and no more than is missing then


def test_mixing_is_the_permutation_of_the_generator():
    pool = _Pool(torch.Generator().manual_seed(5), 0)
    pool.add(torch.arange(6.0), Targets(None))
    pool.mix()
    order = torch.randperm(6, generator=torch.Generator().manual_seed(5))
    x, t = pool.pop(4)
    assert x.tolist() == order[:4].tolist()
    assert t == (None, None)
    assert pool.pop(9)[0].tolist() == order[4:].tolist()


def test_the_buffer_is_as_large_as_it_says(monkeypatch):
    monkeypatch.setattr(streams, "BUFFER_BYTES", 80)
    rows = BlockRows(Source([10] * 4), torch.float32)
    assert rows._buffer_size() == 10


@pytest.mark.parametrize("shuffle", [False, True])
def test_ranks_share_the_rows_of_each_batch(shuffle):
    rows = BlockRows(Source([4, 3, 5]), torch.float32)
    data = TrainingData(rows, targets(12))

    def seen(ranks):
        torch.manual_seed(0)
        each = 4 if ranks is None else 2
        batches = TensorBatches(data, each, shuffle=shuffle, ranks=ranks)
        return check(list(batches))

    alone, first, second = seen(None), seen(Ranks(0, 2)), seen(Ranks(1, 2))
    assert [a + b for a, b in zip(first, second, strict=True)] == alone
    assert sorted(row for batch in alone for row in batch) == list(range(12))
