"""Bags whose instances stay on disk."""

import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mlmi_sklearn.containers import Bags
from mlmi_sklearn.exceptions import BagError


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {name: rng.random((n, 3)) for name, n in [("a", 2), ("b", 5), ("c", 1)]}


@pytest.fixture
def folder(tmp_path, arrays):
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    (tmp_path / "notes.txt").write_text("not a bag")
    return tmp_path


def test_a_folder_is_read_by_name(folder, arrays):
    bags = Bags.from_files(folder, groups=[1, 1, 2])
    assert bags.bag_ids.tolist() == ["a", "b", "c"]
    assert_array_equal(bags.lengths, [2, 5, 1])
    assert repr(bags) == "<Bags: 3 bags, 8 instances, 3 features (sizes 1/2/5)>"
    for bag, array in zip(bags, arrays.values(), strict=True):
        assert isinstance(bag, np.memmap)
        assert_array_equal(bag, array)
    assert_array_equal(bags.values, np.concatenate(list(arrays.values())))
    assert bags == Bags.from_list(
        arrays.values(), bag_ids=list(arrays), groups=[1, 1, 2]
    )


def test_nothing_is_read_before_it_is_needed(folder, monkeypatch):
    bags = Bags.from_files(str(folder))
    reads = []
    load = np.load
    monkeypatch.setattr(np, "load", lambda path, **kw: reads.append(path) or load(path))
    view = bags[[2, 0]]
    assert len(view[:1]) == 1
    assert not reads
    assert view.values.shape == (3, 3)
    assert {path.stem for path in reads} == {"a", "c"}


@pytest.mark.parametrize("key", [[2, 0, 2], [1], slice(1, 3), []])
def test_views(folder, arrays, key):
    view = Bags.from_files(folder)[key]
    listed = Bags.from_list(arrays.values(), bag_ids=list(arrays))[key]
    assert view == listed
    assert view.compact() == listed
    assert isinstance(view.values, np.ndarray)


def test_many_small_files_are_gathered(tmp_path):
    for i in range(20):
        np.save(tmp_path / f"{i:02}.npy", np.full((2, 2), i))
    bags = Bags.from_files(sorted(tmp_path.iterdir(), reverse=True))
    assert_array_equal(bags[[3, 7]].values[:, 0], [16, 16, 12, 12])


def test_pickle_holds_paths_only(folder, tmp_path):
    np.save(folder / "b.npy", np.zeros((100_000, 3)))
    bags = Bags.from_files(folder)
    data = pickle.dumps(bags)
    assert len(data) < 5000
    assert pickle.loads(data)[[2, 0]] == bags[[2, 0]]


def test_compact_reads_into_memory(folder):
    bags = Bags.from_files(folder).compact()
    for path in folder.glob("*.npy"):
        path.unlink()
    assert bags.values.shape == (8, 3)


def test_mixed_types_become_one(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((1, 2), np.float32))
    np.save(tmp_path / "b.npy", np.ones((1, 2), np.float64))
    bags = Bags.from_files(tmp_path)
    assert {bag.dtype for bag in bags} == {np.dtype(float)}
    assert bags.values.dtype == np.float64


def test_equal_stems_fall_back_to_paths(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x.npy", np.ones((1, 2)))
    paths = [tmp_path / name / "x.npy" for name in "ab"]
    assert Bags.from_files(paths).bag_ids.tolist() == [str(path) for path in paths]
    assert Bags.from_files(paths, bag_ids=["u", "v"]).bag_ids.tolist() == ["u", "v"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.ones((0, 3)), "at least one instance"),
        (np.ones(3), r"shape \(3,\), but a bag needs"),
        (np.ones((2, 4)), r"have shape \(4,\), those in .*a\.npy have \(3,\)"),
        (np.full((2, 3), "x"), "must be numbers"),
        (np.full((2, 3), None), "no array of numbers"),
    ],
)
def test_bad_files_are_named(folder, content, message):
    np.save(folder / "d.npy", content, allow_pickle=True)
    with pytest.raises(BagError, match=message) as caught:
        Bags.from_files(folder)
    assert "d.npy" in str(caught.value)


def test_bad_paths(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match=r"names no \.npy"):
        Bags.from_files(tmp_path / "empty")
    with pytest.raises(BagError, match="is no folder"):
        Bags.from_files(folder / "a.npy")
    with pytest.raises(BagError, match="does not exist"):
        Bags.from_files([folder / "zz.npy"])
    with pytest.raises(BagError, match=r"neither \.npy nor \.h5"):
        Bags.from_files([folder / "notes.txt"])


def test_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    for name, size in [("a", 2), ("b", 3)]:
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["features"] = np.full((size, 4), size, np.float32)
    bags = Bags.from_files(tmp_path)
    assert_array_equal(bags[1], np.full((3, 4), 3))
    assert pickle.loads(pickle.dumps(bags)) == bags
    expected = bags.compact()
    with h5py.File(tmp_path / "b.h5", "a") as file:
        file["coords"] = np.zeros((3, 2))
    with pytest.raises(BagError, match=r"data sets \['coords', 'features'\].*key="):
        Bags.from_files(tmp_path)
    assert Bags.from_files(tmp_path, key="features") == expected


def test_hdf5_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.h5").touch()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match="pip install h5py"):
        Bags.from_files(tmp_path)
