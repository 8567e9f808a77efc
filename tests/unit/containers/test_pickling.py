"""Pickles hold what is needed, and memory maps stay on disk."""

import pickle

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from scipy import sparse

from mlmi_sklearn.containers import Bags

N_ROWS = 20_000


@pytest.fixture
def bags():
    values = np.arange(N_ROWS * 4.0).reshape(N_ROWS, 4)
    return Bags(values, np.full(100, N_ROWS // 100), coords=values[:, :2].copy())


def test_round_trip_stays_read_only(bags):
    again = pickle.loads(pickle.dumps(bags))
    assert again == bags
    for array in (again.values, again.lengths, again.coords):
        assert not array.flags.writeable


def test_a_small_view_leaves_the_store_behind(bags):
    data = pickle.dumps(bags[[3, 90]])
    assert len(data) < 0.1 * bags.values.nbytes
    assert pickle.loads(data) == bags[[3, 90]]


def test_a_large_view_takes_the_store_along(bags):
    view = bags[20:]
    assert pickle.loads(pickle.dumps(view))._store.shape == bags.values.shape
    assert pickle.loads(pickle.dumps(view)) == view


def test_a_small_view_is_compacted_once(bags):
    # joblib keeps one memory map per array object: a fresh copy per task would be
    # written to disk again and again.
    view = bags[:10]
    first, second = view.__getstate__()["_store"], view.__getstate__()["_store"]
    assert first is second


def test_sparse_view(bags):
    matrix = Bags(sparse.random(100, 50, 0.2, format="csr", random_state=0), [10] * 10)
    assert pickle.loads(pickle.dumps(matrix[[7, 2]])) == matrix[[7, 2]]


@pytest.fixture
def mapped(tmp_path, bags):
    np.save(tmp_path / "values.npy", bags.values)
    values = np.load(tmp_path / "values.npy", mmap_mode="r")
    return Bags(values, bags.lengths)


def test_memory_maps_are_referred_to(mapped, bags):
    assert _is_mapped(mapped)
    for view in (mapped, mapped[:3], mapped[[5, 1]]):
        data = pickle.dumps(view)
        assert len(data) < 5000
        again = pickle.loads(data)
        assert again == view
        assert _is_mapped(again[:1])


def test_part_of_a_memory_map(tmp_path, bags):
    raw = np.memmap(tmp_path / "raw", float, "w+", offset=64, shape=(50, 4))
    raw[:] = np.arange(200.0).reshape(50, 4)
    part = Bags(raw[10:30], [20])
    data = pickle.dumps(part)
    assert len(data) < 2000
    assert pickle.loads(data) == part


def test_arrays_that_are_no_plain_part_of_a_file_are_stored(tmp_path):
    raw = np.memmap(tmp_path / "raw", float, "w+", shape=(50, 4))
    raw[:] = 1.0
    columns = Bags(raw[:, ::2], [50])
    private = np.memmap(tmp_path / "raw", float, "c", shape=(50, 4))
    private[0] = 7.0
    for awkward in (columns, Bags(private, [50])):
        assert pickle.loads(pickle.dumps(awkward)) == awkward


def test_a_lost_file_is_explained(mapped, tmp_path):
    data = pickle.dumps(mapped)
    in_memory = pickle.dumps(mapped.compact())
    (tmp_path / "values.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"bags\.compact\(\)"):
        pickle.loads(data)
    assert len(pickle.loads(in_memory)) == 100


def _is_mapped(bags):
    array = bags.values
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


def _describe(bags, indices):
    """Run in a worker: report where the instances are, and send a view back."""
    return _is_mapped(bags), float(bags[indices].values.sum()), bags[indices]


def test_joblib_shares_the_store_and_results_survive_it(bags):
    chosen = np.arange(80)
    outcomes = Parallel(n_jobs=2, max_nbytes="100K")(
        delayed(_describe)(bags, chosen) for _ in range(2)
    )
    for is_mapped, total, view in outcomes:
        assert is_mapped
        assert total == bags[chosen].values.sum()
        assert view == bags[chosen], "must not refer to joblib's temporary file"


def test_joblib_hash_sees_the_content(bags):
    assert joblib.hash(bags) == joblib.hash(pickle.loads(pickle.dumps(bags)))
    assert joblib.hash(bags) != joblib.hash(bags[::-1])
