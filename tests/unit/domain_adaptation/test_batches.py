"""Batches of two sides: which rows come together, how often, and with which weights."""

from itertools import chain
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mlmi_sklearn.domain_adaptation import batches as module
from mlmi_sklearn.domain_adaptation.batches import (
    DomainBatch,
    DomainBatches,
    DomainData,
    RowsOfDomains,
    Stream,
    without_short_tail,
)
from mlmi_sklearn.training.batches import TensorBatches, batch_bounds
from mlmi_sklearn.training.data import Targets, TensorRows, TrainingData
from mlmi_sklearn.training.distributed import Ranks

SIZES = st.integers(1, 40)


def numbered(n, start=0, weight=None, codes=None, y=True):
    """A set whose row k holds the number start + k and has it as a label."""
    values = torch.arange(start, start + n)
    rows = TensorRows(values.float())
    if codes is not None:
        rows = RowsOfDomains(rows, torch.as_tensor(codes))
    weight = None if weight is None else torch.as_tensor(weight, dtype=torch.float32)
    return TrainingData(rows, Targets(values if y else None, weight))


def stream(n, size, seed=0, **options):
    return Stream(numbered(n), size, torch.Generator().manual_seed(seed), **options)


def rows_of(found):
    return [x.tolist() for x, _ in found]


# -- bounds


@given(n=st.integers(1, 300), size=st.integers(2, 64))
def test_a_last_batch_of_less_than_half_the_size_joins_the_one_before(n, size):
    bounds = batch_bounds(n, size)
    found = without_short_tail(list(bounds), size)
    lengths = [stop - start for start, stop in bounds]
    if len(lengths) > 1 and lengths[-1] < size / 2:
        lengths[-2:] = [lengths[-2] + lengths[-1]]
    assert [stop - start for start, stop in found] == lengths
    assert [k for start, stop in found for k in range(start, stop)] == list(range(n))


def test_half_a_batch_stands_alone():
    whole = [(0, 4), (4, 8)]
    assert without_short_tail([*whole, (8, 10)], 4) == [*whole, (8, 10)]
    assert without_short_tail([*whole, (8, 9)], 4) == [(0, 4), (4, 9)]
    assert without_short_tail([(0, 1)], 4) == [(0, 1)]


# -- streams


@given(n=SIZES, size=SIZES, passes=st.integers(1, 4), seed=st.integers(0, 99))
def test_a_stream_leaves_no_row_out(n, size, passes, seed):
    """Any n rows that follow on a multiple of n are all of them."""
    source = stream(n, size, seed)
    wide = max(min(size, n), 2)
    assert (source.size, source.whole) == (wide, wide)
    found = [row for k in range(passes) for row in rows_of(source.batches(k + 1))]
    assert [len(rows) for rows in found] == [wide] * (passes * (passes + 1) // 2)
    rows = list(chain.from_iterable(found))
    for start in range(0, len(rows) - n + 1, n):
        assert sorted(rows[start : start + n]) == list(range(n))


def test_a_stream_does_not_keep_the_order_of_the_set():
    first = rows_of(stream(50, 50).batches(2))
    assert first[0] != first[1]
    assert first[0] != sorted(first[0])
    assert rows_of(stream(50, 50).batches(2)) == first
    assert rows_of(stream(50, 50, seed=1).batches(2)) != first


@pytest.mark.parametrize(
    ("n", "size", "repeats", "wide"),
    [
        (1, 8, 1, 2),
        (3, 8, 1, 3),
        (3, 8, 2, 6),
        (3, 8, 4, 8),
        (1, 8, 4, 4),
        (9, 8, 4, 8),
    ],
)
def test_rows_of_a_small_set_fill_up_a_batch_so_often(n, size, repeats, wide):
    source = stream(n, size, repeats=repeats)
    (batch,) = rows_of(source.batches(1))
    assert len(batch) == wide
    counts = np.bincount(np.array(batch, dtype=int), minlength=n)
    assert counts.max() <= -(-wide // n)


@given(n=SIZES, size=SIZES, ranks=st.integers(1, 5), count=st.integers(1, 3))
def test_parts_of_ranks_are_the_batch_together(n, size, ranks, count):
    parts = [
        rows_of(stream(n, size, ranks=Ranks(k, ranks)).batches(count))
        for k in range(ranks)
    ]
    wide = max(min(size, n), 2, ranks)
    for k in range(count):
        together = [part[k] for part in parts]
        assert all(together)  # a row at least
        assert sum(map(len, together)) == wide
    alone = stream(n, size)
    if wide == alone.whole:
        for k, batch in enumerate(rows_of(alone.batches(count))):
            assert list(chain.from_iterable(part[k] for part in parts)) == batch


def test_a_large_set_is_gathered_batch_by_batch(monkeypatch):
    whole = rows_of(stream(10, 4).batches(5))
    # As many bytes as the limit are still gathered at once: 5 batches of 4 floats.
    for limit, at_once in ((80, True), (79, False)):
        monkeypatch.setattr(module, "GATHER_LIMIT", limit)
        source = stream(10, 4)
        take = Mock(wraps=source.data.take)
        source.data.take = take
        assert rows_of(source.batches(5)) == whole
        sizes = [len(call.args[0]) for call in take.call_args_list]
        assert sizes == ([20] if at_once else [4] * 5)


def test_a_stream_goes_on_where_another_one_was():
    one = stream(7, 4)
    list(one.batches(3))
    state = one.training_state()
    rest = rows_of(one.batches(5))
    other = stream(7, 4, seed=9)
    other.load_training_state(state)
    assert rows_of(other.batches(5)) == rest


# -- both sides


def sides(n=6, m=5, size=3, labelled=None, codes=False, **options):
    """Batches of n rows from 0 and of m rows from 100."""
    target_codes = [1 + k % 2 for k in range(m)] if codes else None
    source = numbered(n, codes=[0] * n if codes else None, **options)
    target = numbered(m, 100, weight=range(1, m + 1), codes=target_codes)
    generator = torch.Generator().manual_seed(0)
    return DomainBatches(
        TensorBatches(source, size),
        Stream(target, size, generator),
        None if labelled is None else Stream(labelled, size, generator),
    )


def test_every_batch_of_the_source_has_one_of_the_target_beside_it():
    found = sides()
    assert len(found) == 2
    batches = list(found)
    assert [b.source.tolist() for b, _ in batches] == [[0, 1, 2], [3, 4, 5]]
    for batch, known in batches:
        assert known.y.tolist() == batch.source.tolist()
        assert known.weight is None
        assert len(batch.target) == 3
        # Each row comes with a weight of its own.
        assert (batch.target - 99).tolist() == batch.target_weight.tolist()
        assert batch.labelled is batch.domains is batch.source_weight is None
        assert len(batch) == 3


def test_codes_of_domains_come_with_their_rows():
    for batch, _ in sides(codes=True):
        of_source, of_target = batch.domains
        assert of_source.tolist() == [0, 0, 0]
        assert of_target.tolist() == [1 + int(x) % 2 for x in batch.target]
    rows = RowsOfDomains(TensorRows(torch.arange(4.0)), torch.tensor([3, 2, 1, 0]))
    some = rows.take(torch.tensor([2, 0]))
    assert (len(some), some.codes.tolist()) == (2, [1, 3])
    values, codes = some.narrow(1, 2)
    assert (values.tolist(), codes.tolist()) == ([0.0], [3])
    assert rows.to(torch.device("cpu")).codes.tolist() == [3, 2, 1, 0]
    assert rows.nbytes == 16


def test_without_a_target_rows_come_alone():
    found = DomainBatches(TensorBatches(numbered(4), 2), None, None)
    for batch, known in found:
        assert batch.target is batch.domains is batch.target_weight is None
        assert known.y.tolist() == batch.source.tolist()


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
def test_factors_of_classes_multiply_weights_of_the_source(weight):
    found = sides(weight=weight)
    found.class_factors = torch.tensor([1.0, 0.5, 0.1, 0.0, 2.0, 1.0])
    for batch, known in found:
        given = torch.ones(6) if weight is None else torch.tensor(weight)
        expected = (given * found.class_factors)[known.y]
        assert torch.equal(batch.source_weight, expected)
        assert torch.equal(known.weight, expected)


@pytest.mark.parametrize("codes", [None, [4, 4, 4]])
@pytest.mark.parametrize("own", [None, [1.0, 3.0, 5.0]])
@pytest.mark.parametrize("given", [None, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
def test_labelled_rows_of_the_target_weigh_as_much_as_the_source(given, own, codes):
    labelled = numbered(3, 50, weight=own, codes=codes)
    for batch, known in sides(weight=given, labelled=labelled):
        assert sorted(batch.labelled.tolist()) == [50, 51, 52]
        assert known.y.tolist() == [*batch.source.tolist(), *batch.labelled.tolist()]
        assert len(batch) == 6
        ours, theirs = known.weight.split(3)
        expected = torch.ones(3) if given is None else batch.source_weight
        assert torch.equal(ours, expected)
        assert float(theirs.sum()) == pytest.approx(float(ours.sum()))
        parts = [1.0] * 3 if own is None else [own[int(x) - 50] for x in batch.labelled]
        assert theirs.tolist() == pytest.approx(
            [float(ours.sum()) * part / sum(parts) for part in parts]
        )
        if own is None:
            assert batch.labelled_weight is None
        else:
            assert batch.labelled_weight.tolist() == parts


def test_parts_are_source_labelled_and_the_rest():
    s, t, w = torch.zeros(2), torch.ones(3), torch.full((3,), 2.0)
    parts = DomainBatch(s, target=t, target_weight=w).parts
    for (rows, weight), expected in zip(
        parts, ((s, None), (None, None), (t, w)), strict=True
    ):
        assert rows is expected[0]
        assert weight is expected[1]
    assert len(DomainBatch(s, labelled=t)) == 5


def test_data_knows_its_target():
    target, labelled = numbered(3), numbered(1)
    source = numbered(2)
    data = DomainData(source.rows, source.targets, target, labelled)
    assert (len(data), data.target, data.labelled) == (2, target, labelled)
    bare = DomainData(source.rows, source.targets)
    assert bare.target is bare.labelled is None


@pytest.mark.parametrize("factors", [None, [0.5, 1.0]])
@pytest.mark.parametrize("with_labelled", [False, True])
def test_training_goes_on_with_the_same_rows(factors, with_labelled):
    labelled = numbered(2, 50) if with_labelled else None
    one, other = sides(m=7, labelled=labelled), sides(m=7, labelled=labelled)
    list(one)
    one.class_factors = None if factors is None else torch.tensor(factors)
    other.load_training_state(one.training_state())
    one.class_factors, kept = None, other.class_factors
    assert kept is None if factors is None else kept.tolist() == factors
    other.class_factors = None
    for (ours, _), (theirs, _) in zip(one, other, strict=True):
        assert torch.equal(ours.target, theirs.target)
        if with_labelled:
            assert torch.equal(ours.labelled, theirs.labelled)
    state = DomainBatches(one.source, None, None).training_state()
    assert state == {"streams": [None, None], "factors": None}


@pytest.mark.parametrize("codes", [None, [1, 1, 2, 2, 1]])
def test_batches_are_moved_where_the_net_is(codes):
    """The meta device stands for an accelerator: rows there have no values."""
    device = torch.device("meta")
    generator = torch.Generator().manual_seed(0)
    of_source = None if codes is None else [0] * 4
    found = DomainBatches(
        TensorBatches(numbered(4, codes=of_source), 2, device=device),
        Stream(numbered(5, 10, weight=[1.0] * 5, codes=codes), 2, generator),
        None,
    )
    batch, known = next(iter(found))
    moved = [batch.source, batch.target, batch.target_weight, known.y]
    moved += [] if codes is None else batch.domains
    assert [tensor.device for tensor in moved] == [device] * len(moved)
    found.load_training_state({**found.training_state(), "factors": torch.ones(3)})
    assert found.class_factors.device == device


def test_factors_go_where_the_set_is():
    found = sides()
    found.source.data.targets = found.source.data.targets.to(torch.device("meta"))
    found.load_training_state({**found.training_state(), "factors": torch.ones(3)})
    assert found.class_factors.device.type == "meta"
