"""Estimators on streams: the model of memory, or one as good, and clear errors."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from mlmi_sklearn import NetClassifier, NetRegressor, Stream
from mlmi_sklearn.base import streams

RNG = np.random.default_rng(0)
X = RNG.normal(size=(301, 6)).astype(np.float32)
Y = np.where(X[:, 0] > 0, "yes", "no")
CODES = (X[:, 0] > 0).astype(int)


class Pairs(IterableDataset):
    """Rows one by one, in another order in each pass if shuffled."""

    def __init__(self, y=CODES, *, shuffle=False):
        self.y, self.shuffle = y, shuffle

    def __iter__(self):
        n = len(X)
        for row in torch.randperm(n).tolist() if self.shuffle else range(n):
            yield X[row], self.y[row]


def classifier(**params):
    params = {"max_epochs": 6, "batch_size": 32, "random_state": 0, **params}
    return NetClassifier(device="cpu", **params)


@pytest.mark.parametrize(
    "params",
    [{}, {"early_stopping": True}, {"class_weight": "balanced"}, {"dtype": "float64"}],
    ids=str,
)
def test_single_rows_give_the_very_model_of_memory(params):
    weight = RNG.integers(0, 3, len(X)).astype(float)
    ours = classifier(**params).fit(Stream(X), Y, weight)
    theirs = classifier(**params).fit(X, Y, weight)
    expected = theirs.decision_function(X)
    np.testing.assert_array_equal(ours.decision_function(X), expected)
    streamed = ours.decision_function(Stream(X))
    np.testing.assert_allclose(streamed, expected, rtol=1e-4, atol=1e-5)


def test_a_large_memory_map_of_bytes_is_streamed_unasked(tmp_path, monkeypatch):
    pixels = (X * 20 + 100).clip(0, 255).astype(np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setattr(streams, "GATHER_LIMIT", 0)
    assert isinstance(streams.as_stream(mapped), Stream)
    ours, theirs = classifier().fit(mapped, Y), classifier().fit(pixels, Y)
    np.testing.assert_array_equal(
        ours.decision_function(pixels), theirs.decision_function(pixels)
    )


def test_a_map_style_data_set_gives_the_very_model_of_memory():
    data = TensorDataset(torch.tensor(X), torch.tensor(CODES))
    ours, theirs = classifier().fit(data), classifier().fit(X, CODES)
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
    np.testing.assert_array_equal(ours.predict(data), theirs.predict(X))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Stream(X, CODES, block_rows=40, buffer_size=60),
        Pairs,
        lambda: Pairs(shuffle=True),
        lambda: DataLoader(Pairs(), batch_size=50),
    ],
    ids=["blocks", "iterable", "iterable, shuffled", "loader"],
)
def test_blocks_learn_as_well(make):
    data = make()
    model = classifier(class_weight="balanced", max_epochs=10).fit(data)
    assert model.score(X, CODES) > 0.93
    assert model.net_.steps_done_ == 10 * 10  # 301 rows: the lone one joins
    if not getattr(data, "shuffle", False):
        np.testing.assert_array_equal(model.predict(data), model.predict(X))


def test_rows_and_targets_stay_together_in_any_order():
    """Each target is a function of its row: a pair torn apart would show."""
    y = X @ np.arange(6.0) + 5
    for data in (Pairs(y, shuffle=True), Stream(X, y, block_rows=30, buffer_size=64)):
        model = NetRegressor(max_epochs=40, lr=1e-2, random_state=0).fit(data)
        assert model.score(X, y) > 0.97


def test_blocks_are_visited_in_a_new_order_each_epoch_and_each_row_once():
    rows = streams.stream_rows(Stream(X, block_rows=20, buffer_size=50), torch.float32)
    targets = streams.Targets(torch.arange(len(X)))
    generator = torch.Generator().manual_seed(0)
    passes = []
    for _ in range(2):
        batches = list(rows.batches(targets, iter([32] * 9 + [13]), generator))
        seen = torch.cat([t.y for _, t in batches])
        values = torch.cat([x for x, _ in batches])
        assert torch.equal(values, torch.from_numpy(X)[seen])
        assert torch.equal(seen.sort().values, torch.arange(len(X)))
        assert [len(x) for x, _ in batches] == [32] * 9 + [13]
        passes.append(seen)
    assert not torch.equal(*passes)
    first = passes[0][:32] // 20
    assert len(first.unique()) > 1  # blocks are mixed


def test_early_stopping_weights_and_splits_of_blocks():
    stream = Stream(X, CODES, block_rows=40)
    model = classifier(early_stopping=True, verbose=0).fit(stream)
    assert model.score(X, CODES) > 0.9
    weight = np.where(CODES == 1, 1.0, 0.0)
    weight[:30] = 1
    model = classifier().fit(stream, sample_weight=weight)
    assert model.predict(X).mean() > CODES.mean()
    assert cross_val_score(classifier(), stream, stream.y, cv=3).min() > 0.8


def test_a_shuffled_iterable_with_weights_or_a_split_is_an_error():
    shuffled = Pairs(shuffle=True)
    with pytest.raises(ValueError, match="another order in each pass"):
        classifier(early_stopping=True).fit(shuffled)
    with pytest.raises(ValueError, match="another order in each pass"):
        classifier().fit(shuffled, sample_weight=np.linspace(1, 2, len(X)))
    with pytest.raises(ValueError, match="y holds others"):
        classifier().fit(Pairs(), 1 - CODES)


def test_bad_numbers_are_found_when_they_are_read():
    bad = X.copy()
    bad[250, 3] = np.nan
    model = classifier()
    for stream in (Stream(bad), Stream(bad, block_rows=20)):
        with pytest.raises(ValueError, match="Input X contains NaN or infinity"):
            model.fit(stream, Y)
    assert not hasattr(model, "net_")
    wide = X.astype(np.float64)
    wide[7] = 1e300
    with pytest.raises(ValueError, match="too large for float32"):
        classifier(dtype="float32").fit(Stream(wide), Y)


def test_what_does_not_fit_the_model_is_an_error():
    model = classifier(max_epochs=1).fit(Stream(X), Y)
    with pytest.raises(ValueError, match="2 features"):
        model.predict(Stream(X[:, :2]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(Stream(X), Y[:-1])
    with pytest.raises(ValueError, match="requires y to be passed"):
        classifier().fit(Stream(X))
    with pytest.raises(TypeError, match="iterator can be read only once"):
        Stream(DataLoader(OnceOnly()))
        Stream(OnceOnly())


class OnceOnly(IterableDataset):
    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


def test_partial_fit_and_warm_start_take_streams():
    model = classifier(max_epochs=3)
    for start in range(0, 300, 100):
        part = Stream(X[start : start + 100])
        model.partial_fit(part, CODES[start : start + 100], classes=[0, 1])
    assert model.n_iter_ == 3
    model = classifier(warm_start=True).fit(Pairs()).fit(Pairs())
    assert model.n_iter_ == 12


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_streams_train_on_a_gpu():
    for data in (Stream(X, CODES), Stream(X, CODES, block_rows=40), Pairs()):
        model = NetClassifier(max_epochs=6, device="cuda", random_state=0).fit(data)
        assert model.score(X, CODES) > 0.85
