from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mlmi_sklearn.training import batches
from mlmi_sklearn.training.batches import TensorBatches, batch_bounds
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.ragged import RaggedTensor


def ragged(lengths):
    lengths = torch.tensor(lengths)
    values = torch.arange(int(lengths.sum()), dtype=torch.float64)[:, None]
    return RaggedTensor(values, lengths)


def bags_of(ragged_tensor):
    offsets = ragged_tensor.offsets
    rows = ragged_tensor.values[:, 0].tolist()
    return [rows[a:b] for a, b in pairwise(offsets)]


@given(n=st.integers(1, 300), size=st.integers(1, 64))
def test_bounds_cover_every_row_once_and_leave_no_lone_row(n, size):
    bounds = batch_bounds(n, size)
    assert [i for a, b in bounds for i in range(a, b)] == list(range(n))
    sizes = [b - a for a, b in bounds]
    assert max(sizes) <= size + 1
    if size > 1 and n > 1:
        assert min(sizes) > 1


@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    data=st.data(),
)
def test_ragged_take_and_narrow_are_list_indexing(lengths, data):
    bags = ragged(lengths)
    expected = bags_of(bags)
    index = data.draw(
        st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8)
    )
    taken = bags.take(torch.tensor(index))
    assert bags_of(taken) == [expected[i] for i in index]
    assert taken.lengths.tolist() == [lengths[i] for i in index]
    start = data.draw(st.integers(0, len(index) - 1))
    stop = data.draw(st.integers(start + 1, len(index)))
    part = taken.narrow(start, stop)
    assert bags_of(part) == bags_of(taken)[start:stop]
    assert part.segments.sum(part.values)[:, 0].tolist() == [
        sum(bag) for bag in bags_of(taken)[start:stop]
    ]


def test_narrow_copies_nothing():
    bags = ragged([2, 3, 4])
    part = bags.narrow(1, 3)
    assert part.values.data_ptr() == bags.values[2:].data_ptr()


# Bytes above which batches are gathered one by one, and bytes gathered at once below.
GATHERS = {"by batch": (0, 1), "in parts": (2**40, 200), "by epoch": (2**40, 2**24)}


@pytest.mark.parametrize("limits", GATHERS.values(), ids=list(GATHERS))
def test_shuffled_batches_keep_inputs_and_targets_together(monkeypatch, limits):
    for name, limit in zip(("GATHER_LIMIT", "_GATHER"), limits, strict=True):
        monkeypatch.setattr(batches, name, limit)
    x = torch.arange(103, dtype=torch.float32)
    data = TrainingData(TensorRows(x), Targets(x * 2, x * 3))
    generator = torch.Generator().manual_seed(0)
    seen = []
    for rows, targets in TensorBatches(data, 10, shuffle=True, generator=generator):
        assert torch.equal(targets.y, rows * 2)
        assert torch.equal(targets.weight, rows * 3)
        seen += rows.tolist()
    assert seen != sorted(seen)
    assert sorted(seen) == x.tolist()


def test_all_ways_of_gathering_give_the_same_order(monkeypatch):
    data = TrainingData(TensorRows(torch.arange(50.0)), Targets(None))
    orders = []
    for limit, at_once in GATHERS.values():
        monkeypatch.setattr(batches, "GATHER_LIMIT", limit)
        monkeypatch.setattr(batches, "_GATHER", at_once)
        generator = torch.Generator().manual_seed(3)
        passes = TensorBatches(data, 8, shuffle=True, generator=generator)
        orders.append([rows.tolist() for rows, _ in passes])
    assert orders[0] == orders[1] == orders[2]


def test_no_copy_of_a_set_is_larger_than_what_is_gathered_at_once(monkeypatch):
    monkeypatch.setattr(batches, "_GATHER", 200)
    taken = []

    class Counted(TrainingData):
        def take(self, index):
            taken.append(len(index))
            return super().take(index)

    data = Counted(TensorRows(torch.arange(103.0)), Targets(None))
    sizes = [len(rows) for rows, _ in TensorBatches(data, 10, shuffle=True)]
    assert sizes == [10] * 10 + [3]
    assert taken == [50, 50, 3]


@pytest.mark.parametrize("copy", [False, True])
def test_batches_of_one_row_are_views_unless_they_may_be_written_to(copy):
    data = TrainingData(TensorRows(torch.arange(12.0).reshape(6, 2)), Targets(None))
    found = list(TensorBatches(data, 1, shuffle=True, copy=copy))
    assert sorted(rows[0, 0].item() for rows, _ in found) == [0, 2, 4, 6, 8, 10]
    whole = data.rows.values.untyped_storage().data_ptr()
    for rows, _ in found:
        assert (rows.untyped_storage().data_ptr() == whole) is not copy


def test_each_pass_has_another_order_and_the_seed_repeats_them():
    data = TrainingData(TensorRows(torch.arange(50.0)), Targets(None))

    def passes(seed):
        generator = torch.Generator().manual_seed(seed)
        loader = TensorBatches(data, 50, shuffle=True, generator=generator)
        return [next(iter(loader))[0].tolist() for _ in range(2)]

    first, second = passes(0)
    assert first != second
    assert passes(0) == [first, second]


def test_a_memory_map_is_read_only_by_the_rows_of_a_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "GATHER_LIMIT", 0)
    path = tmp_path / "x.npy"
    np.save(path, np.arange(40, dtype=np.float32).reshape(20, 2))
    x = torch.from_numpy(np.load(path, mmap_mode="c"))
    data = TrainingData(TensorRows(x), Targets(None))
    seen = torch.cat([rows for rows, _ in TensorBatches(data, 6, shuffle=True)])
    assert sorted(seen[:, 0].tolist()) == x[:, 0].tolist()
