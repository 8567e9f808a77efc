"""Bags on disk, parts of bags, balanced batches."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import BaseEstimator

from mlmi_sklearn import Bags, MILClassifier, MILRegressor
from mlmi_sklearn.exceptions import BagError
from mlmi_sklearn.mil import streaming
from mlmi_sklearn.mil.fields import attach
from mlmi_sklearn.mil.inputs import read_bags
from mlmi_sklearn.mil.net import balanced_order, instance_sampler
from mlmi_sklearn.mil.streaming import StreamedBags, streams
from mlmi_sklearn.training import batches
from mlmi_sklearn.training.ragged import RaggedTensor, SampledBags


@pytest.fixture
def files(tmp_path, make_bags):
    """Return paths of one file a bag, the bags and their labels."""
    bags, y = make_bags(dtype=np.float32)
    paths = []
    for number, bag in enumerate(bags):
        paths.append(tmp_path / f"slide-{number:02d}.npy")
        np.save(paths[-1], bag)
    return paths, bags, y


@pytest.fixture
def nothing_is_small(monkeypatch):
    """Treat every data set as too large to gather."""
    monkeypatch.setattr(streaming, "GATHER_LIMIT", 0)
    monkeypatch.setattr(batches, "GATHER_LIMIT", 0)


def test_files_train_as_arrays_do(files, quick):
    paths, bags, y = files
    on_disk = Bags.from_files(paths)
    assert streams(on_disk)
    assert not streams(bags)
    a, b = quick().fit(on_disk, y), quick().fit(bags, y)
    assert np.array_equal(a.decision_function(bags), b.decision_function(bags))
    assert np.array_equal(a.decision_function(on_disk), b.decision_function(bags))
    for left, right in zip(a.attention(on_disk), b.attention(bags), strict=True):
        assert np.array_equal(left, right)
    assert np.array_equal(a.transform(on_disk), b.transform(bags))


def test_files_are_never_read_as_a_whole(files, quick, monkeypatch):
    paths, _, y = files
    on_disk = Bags.from_files(paths)

    def refuse(self):
        raise AssertionError("all files were read at once")

    monkeypatch.setattr(Bags, "values", property(refuse))
    model = quick().fit(on_disk, y, sample_weight=np.arange(len(y)) % 3)
    model.predict(on_disk[::2])
    model.partial_fit(on_disk, y)


def test_half_precision_files_become_single_precision(tmp_path, files, quick):
    _, bags, y = files
    half = tmp_path / "half"
    half.mkdir()
    for number, bag in enumerate(bags):
        np.save(half / f"{number:02d}.npy", bag.astype(np.float16))
    model = quick().fit(Bags.from_files(half), y)
    assert next(model.net_.module_.parameters()).dtype == torch.float32
    scores = model.decision_function(Bags.from_files(half))
    assert np.allclose(scores, model.decision_function(bags), atol=1e-2)


def test_a_memory_map_in_another_order_is_not_copied_whole(
    tmp_path, files, quick, nothing_is_small
):
    _, bags, y = files
    np.save(tmp_path / "all.npy", bags.values)
    mapped = np.load(tmp_path / "all.npy", mmap_mode="r")
    whole = Bags(mapped, bags.lengths)
    order = np.random.default_rng(0).permutation(len(y))
    assert not streams(whole)
    assert streams(whole[order])
    a = quick().fit(whole[order], y[order])
    b = quick().fit(bags[order].compact(), y[order])
    assert np.allclose(a.decision_function(bags), b.decision_function(bags), atol=1e-6)


def test_a_lone_bag_is_a_view_of_the_file(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    np.save(tmp_path / "one.npy", values)
    mapped = np.load(tmp_path / "one.npy", mmap_mode="r")
    rows = StreamedBags(Bags(mapped, [4, 2]), torch.float32)
    part = rows.narrow(1, 2).values
    assert part.data_ptr() == mapped.ctypes.data + 4 * 2 * 4
    assert part.tolist() == values[4:].tolist()


def test_bad_numbers_in_a_file_name_the_bag(files, quick):
    paths, bags, y = files
    fitted = quick().fit(bags, y)
    before = fitted.decision_function(bags)
    broken = np.load(paths[3])
    broken[0, 1] = np.nan
    np.save(paths[3], broken)
    on_disk = Bags.from_files(paths)
    with pytest.raises(BagError, match=r"NaN or infinity: bag .*slide-03"):
        fitted.fit(on_disk, y)
    with pytest.raises(BagError, match=r"NaN or infinity: bag .*slide-03"):
        fitted.predict(on_disk)
    assert np.array_equal(before, fitted.decision_function(bags))


def test_files_of_another_width_are_refused(files, quick):
    paths, bags, y = files
    model = quick().fit(bags.with_values(bags.values[:, :2]), y)
    with pytest.raises(ValueError, match="features"):
        model.predict(Bags.from_files(paths))


def test_columns_of_files_keep_their_names(files, quick):
    _, bags, y = files
    named = Bags(bags.values, bags.lengths, feature_names=list("abcd"))
    model = quick().fit(named, y)
    assert model.feature_names_in_.tolist() == list("abcd")


@pytest.mark.parametrize(
    ("dtype", "reordered", "expected"),
    [
        (np.float32, False, False),
        (np.float64, False, False),
        (np.float16, False, True),
        (np.uint8, False, True),
        (np.float32, True, True),
        (np.float64, True, True),
    ],
)
def test_what_would_be_copied_is_streamed_where_it_is_large(
    dtype, reordered, expected, monkeypatch
):
    bags = Bags(np.zeros((6, 5), dtype=dtype), [3, 2, 1])
    bags = bags[[2, 0, 1]] if reordered else bags
    # Small numbers become single precision.
    size = 6 * 5 * max(np.dtype(dtype).itemsize, 4)
    monkeypatch.setattr(streaming, "GATHER_LIMIT", size - 1)
    assert streams(bags) is expected
    monkeypatch.setattr(streaming, "GATHER_LIMIT", size)
    assert not streams(bags)
    csr = Bags(sparse.csr_array(np.eye(6)), [3, 2, 1])
    monkeypatch.setattr(streaming, "GATHER_LIMIT", 0)
    assert not streams(csr[[2, 0, 1]])


def test_streamed_rows_are_those_of_the_bags(monkeypatch):
    rng = np.random.default_rng(0)
    bags = Bags(rng.normal(size=(11, 2)), [4, 1, 3, 3])
    own = torch.arange(11.0)
    rows = attach(StreamedBags(bags, torch.float32), {"own": own})
    assert len(rows) == 4
    part = rows.narrow(1, 3)
    assert part.lengths.tolist() == [1, 3]
    assert part.offsets == [0, 1, 4]
    assert part.values.dtype == torch.float32
    assert np.allclose(part.values, bags.values[4:8])
    assert part.fields["own"].tolist() == [4, 5, 6, 7]
    chosen = rows.take(torch.tensor([3, 0, 3]))
    assert chosen.dtype == torch.float32
    assert np.allclose(
        chosen.narrow(0, 3).values, bags.values[[8, 9, 10, *range(4), 8, 9, 10]]
    )
    assert chosen.narrow(1, 3).fields["own"].tolist() == [0, 1, 2, 3, 8, 9, 10]
    assert rows.to(torch.device("cpu")) is rows
    even = rows.sampled(0, 3, lambda n: torch.arange(0, n, 2) if n > 2 else None)
    assert even.lengths.tolist() == [2, 1, 2]
    assert even.fields["own"].tolist() == [0, 2, 4, 5, 7]
    assert np.allclose(even.values, bags.values[[0, 2, 4, 5, 7]])
    monkeypatch.setattr(streaming, "GATHER_LIMIT", 10)
    assert rows.nbytes == 11 * 2 * 4
    monkeypatch.setattr(streaming, "GATHER_LIMIT", 1000)
    assert rows.nbytes == 1001


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("ids", "name"), [(None, "2"), (["a", "b", "c"], "'c'")])
def test_a_bad_number_is_found_in_the_bag_that_is_read(value, ids, name):
    values = np.full((5, 2), 3e38, dtype=np.float32)  # their sum is too large for that
    values[4, 1] = value
    rows = StreamedBags(Bags(values, [2, 1, 2], bag_ids=ids), torch.float32)
    assert torch.isfinite(rows.narrow(0, 2).values).all()
    message = (
        f"^Input X contains NaN or infinity: bag {name} does\\. Write its features "
        "anew, or drop the bag\\.$"
    )
    with pytest.raises(BagError, match=message):
        rows.narrow(1, 3)
    # What is not drawn is not looked at.
    first = rows.sampled(2, 3, lambda n: torch.tensor([0]))
    assert first.values.tolist() == [[values[0, 0]] * 2]


@pytest.mark.parametrize("named", [False, True])
def test_streamed_bags_give_width_and_names(named, nothing_is_small):
    names = ["a", "b"] if named else None
    bags = Bags(np.zeros((4, 2)), [3, 1], feature_names=names)[[1, 0]]
    estimator = BaseEstimator()
    assert read_bags(estimator, bags, reset=True, stream=True) is bags
    assert estimator.n_features_in_ == 2
    assert getattr(estimator, "feature_names_in_", None) is None or named
    wide = Bags(np.zeros((4, 3)), [3, 1])[[1, 0]]
    if not named:
        with pytest.raises(ValueError, match="X has 3 features, but BaseEstimator"):
            read_bags(estimator, wide, reset=False, stream=True)
    if named:
        assert estimator.feature_names_in_.tolist() == names
        swapped = Bags(np.zeros((4, 2)), [3, 1], feature_names=["b", "a"])[[1, 0]]
        with pytest.raises(ValueError, match="feature names should match"):
            read_bags(estimator, swapped, reset=False, stream=True)


# -- parts of bags ---


def test_parts_are_new_each_time_and_ascending():
    sample = instance_sampler(4, torch.Generator().manual_seed(0))
    drawn = [sample(20) for _ in range(50)]
    assert sample(4) is None
    assert all(len(set(rows.tolist())) == 4 for rows in drawn)
    assert all(rows.tolist() == sorted(rows.tolist()) for rows in drawn)
    assert len({tuple(rows.tolist()) for rows in drawn}) > 40
    assert set(torch.cat(drawn).tolist()) == set(range(20))


def test_sampled_bags_keep_fields_aligned():
    values = torch.arange(30.0)[:, None]
    rows = RaggedTensor(values, torch.tensor([20, 3, 7]), fields={"own": values[:, 0]})
    sample = instance_sampler(5, torch.Generator().manual_seed(0))
    batch = SampledBags(rows, sample).take(torch.tensor([2, 0, 1])).narrow(0, 3)
    assert batch.lengths.tolist() == [5, 5, 3]
    assert torch.equal(batch.values[:, 0], batch.fields["own"])
    assert set(batch.values[10:, 0].tolist()) == {20.0, 21.0, 22.0}


def test_only_the_rows_drawn_are_read(files, monkeypatch):
    paths, _, _ = files
    rows = StreamedBags(Bags.from_files(paths), torch.float32)
    sample = instance_sampler(2, torch.Generator().manual_seed(0))
    batch = rows.sampled(0, 5, sample)
    assert batch.lengths.max() <= 2
    assert len(batch.values) == int(batch.lengths.sum())


@pytest.mark.parametrize("source", ["memory", "files"])
def test_parts_change_training_but_predictions_see_all(files, quick, source):
    paths, bags, y = files
    X = bags if source == "memory" else Bags.from_files(paths)
    few = quick(max_instances=2).fit(X, y)
    whole = quick().fit(X, y)
    assert not np.array_equal(few.decision_function(X), whole.decision_function(X))
    scores = few.instance_scores(X)
    assert [len(s) for s in scores] == bags.lengths.tolist()
    assert np.array_equal(few.decision_function(X), [s.max() for s in scores])


def test_a_limit_that_no_bag_reaches_changes_nothing(make_bags, quick):
    bags, y = make_bags()
    a = quick(max_instances=1000).fit(bags, y).decision_function(bags)
    assert np.array_equal(a, quick().fit(bags, y).decision_function(bags))


def test_parts_repeat_under_a_seed(make_bags, quick):
    bags, y = make_bags()
    a = quick(max_instances=2).fit(bags, y).decision_function(bags)
    assert np.array_equal(
        a, quick(max_instances=2).fit(bags, y).decision_function(bags)
    )


def test_images_train_end_to_end_in_parts():
    rng = np.random.default_rng(0)
    y = np.arange(12) % 2
    lengths = rng.integers(1, 5, 12)
    tiles = rng.normal(
        np.repeat(y, lengths)[:, None, None, None], 0.5, (lengths.sum(), 1, 12, 12)
    )
    bags = Bags(tiles.astype(np.float32), lengths)
    model = MILClassifier(max_instances=3, max_epochs=2, random_state=0).fit(bags, y)
    first = next(model.net_.module_.backbone.parameters())
    assert first.ndim == 4
    assert model.predict_instances(bags, flat=True).shape == (lengths.sum(),)


# -- balanced batches ---


def test_every_batch_is_balanced_and_every_row_has_its_turn():
    codes = torch.tensor([0] * 90 + [1] * 10)
    generator = torch.Generator().manual_seed(0)
    orders = [balanced_order(codes, generator) for _ in range(30)]
    for order in orders:
        assert len(order) == 100
        for start in range(0, 100, 10):
            assert codes[order[start : start + 10]].sum() == 5
    assert set(torch.cat(orders).tolist()) == set(range(100))


@pytest.mark.parametrize("counts", [[1, 1], [5, 1, 1], [3], [7, 2]])
def test_balanced_order_of_few_rows(counts):
    codes = torch.cat([torch.full((n,), c) for c, n in enumerate(counts)])
    order = balanced_order(codes, torch.Generator())
    assert len(order) == len(codes)
    shares = codes[order].bincount(minlength=len(counts))
    assert shares.max() - shares.min() <= 1


def test_balanced_batches_find_a_rare_class(make_bags):
    rng = np.random.default_rng(0)
    y = (np.arange(80) % 10 == 0).astype(int)
    lengths = rng.integers(2, 6, 80)
    values = rng.normal(1.2 * np.repeat(y, lengths)[:, None], 1.0, (lengths.sum(), 3))
    bags = Bags(values, lengths)

    def recall(**params):
        model = MILClassifier(max_epochs=20, random_state=0, pooling="mean", **params)
        return model.fit(bags, y).predict(bags)[y == 1].mean()

    assert recall(balanced_batches=True) > recall()


def test_regression_has_no_classes_to_balance():
    assert "balanced_batches" not in MILRegressor().get_params()


# -- batch size ---


@pytest.mark.parametrize(
    ("mean_length", "limit", "expected"),
    [
        (1, None, 128),
        (10, None, 13),
        (100, None, 8),
        (100_000, None, 1),
        (100_000, 64, 8),
    ],
)
def test_automatic_batches_fit_in_memory(mean_length, limit, expected):
    bags = Bags(np.zeros((4 * mean_length, 1), dtype=np.float32), [mean_length] * 4)
    assert MILClassifier(max_instances=limit)._rows_per_batch(bags) == expected
