"""Chest X-rays and breast ultrasound: counts, split, original values, licences."""

from importlib import resources

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from mlmi_sklearn.datasets import load_breast_ultrasound, load_pneumonia_xray
from mlmi_sklearn.datasets._pixels import decode


@pytest.fixture(scope="module")
def xray():
    return load_pneumonia_xray()


@pytest.fixture(scope="module")
def breast():
    return load_breast_ultrasound()


def test_counts_and_types_of_xrays(xray):
    assert xray.images.shape == (900, 1, 28, 28)
    assert xray.data.shape == (900, 784)
    assert xray.images.dtype == np.float32
    assert xray.target.dtype == np.int64
    assert xray.target_names.tolist() == ["normal", "pneumonia"]
    for part, n in (("train", 300), ("test", 150)):
        assert_array_equal(np.bincount(xray.target[xray.split == part]), [n, n])
    assert (xray.images.min(), xray.images.max()) == (0, 1)
    levels = xray.images * 255
    assert_allclose(levels, levels.round(), atol=1e-3)


def test_counts_and_types_of_ultrasound(breast):
    assert breast.images.shape == (240, 1, 32, 32)
    assert breast.data.shape == (240, 1024)
    assert breast.images.dtype == np.float32
    assert_array_equal(breast.target, np.repeat([0, 1, 2], 80))
    assert breast.target_names.tolist() == ["normal", "benign", "malignant"]
    assert len(set(breast.file_names)) == 240
    kinds = [name.split(" (")[0] for name in breast.file_names]
    assert kinds == breast.target_names[breast.target].tolist()


def test_no_picture_is_there_twice(xray, breast):
    for images in (xray.data, breast.data):
        assert len(np.unique(images, axis=0)) == len(images)
    centred = breast.data - breast.data.mean(axis=1, keepdims=True)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, 0)
    assert likeness.max() <= 0.9001


def test_the_target_is_that_of_the_pictures(xray):
    """A line learnt on train holds on test; with labels of other rows it would not."""
    train = xray.split == "train"
    model = LogisticRegression(C=0.01, max_iter=200)
    model.fit(xray.data[train], xray.target[train])
    assert model.score(xray.data[~train], xray.target[~train]) > 0.75


@pytest.mark.parametrize("subset", ["train", "test"])
def test_subsets_are_rows_of_the_whole(xray, subset):
    part = load_pneumonia_xray(subset=subset)
    rows = xray.split == subset
    for name in ("images", "data", "target", "split"):
        assert_array_equal(part[name], xray[name][rows])


def test_as_tuple(xray, breast):
    for load, whole in (
        (load_pneumonia_xray, xray),
        (load_breast_ultrasound, breast),
    ):
        X, y = load(return_X_y=True)
        assert_array_equal(X, whole.images)
        assert_array_equal(y, whole.target)


@pytest.mark.parametrize("load", [load_pneumonia_xray, load_breast_ultrasound])
def test_it_is_fresh_at_every_call(load):
    first = load()
    first.images[:] = 7
    first.target[:] = 5
    first.target_names[:] = "x"
    again = load()
    assert again.images.max() <= 1
    assert 5 not in again.target
    assert "x" not in again.target_names


@pytest.mark.parametrize(
    ("load", "file"),
    [
        (load_pneumonia_xray, "pneumonia_xray.npz"),
        (load_breast_ultrasound, "breast_ultrasound.npz"),
    ],
)
def test_sources_and_licences_are_stated(load, file):
    text = load().DESCR
    assert "CC BY 4.0" in text
    assert "https://doi.org/" in text
    folder = resources.files("mlmi_sklearn.datasets") / "data"
    licences = (folder / "LICENSES.md").read_text(encoding="utf-8")
    assert f"## {file}" in licences
    assert len((folder / file).read_bytes()) < 500_000


def test_differences_count_modulo_256():
    grey = np.random.RandomState(0).randint(0, 256, (3, 5, 4)).astype(np.uint8)
    stored = grey.copy()
    stored[:, 1:] -= grey[:, :-1]
    rows = stored.copy()
    stored[:, :, 1:] -= rows[:, :, :-1]
    assert_array_equal(decode(stored), grey)


@pytest.mark.parametrize("subset", ["Train", None, ["train"], 1])
def test_an_unknown_subset(subset):
    with pytest.raises(ValueError, match=r"subset must be one of .*'all'.*got"):
        load_pneumonia_xray(subset=subset)


def test_the_validation_part_needs_the_file():
    with pytest.raises(ValueError, match="'val' needs path"):
        load_pneumonia_xray(subset="val")


def medmnist(path, side=28, **changed):
    """Write a file like one of MedMNIST, with labels as a column."""
    rng = np.random.RandomState(0)
    arrays = {}
    for part, n in (("train", 6), ("val", 4), ("test", 5)):
        arrays[f"{part}_images"] = rng.randint(0, 256, (n, side, side)).astype(np.uint8)
        arrays[f"{part}_labels"] = (np.arange(n) % 2)[:, np.newaxis].astype(np.uint8)
    arrays = {k: v for k, v in {**arrays, **changed}.items() if v is not None}
    np.savez(path, **arrays)
    return arrays


def test_a_whole_file_of_any_size(tmp_path):
    path = tmp_path / "pneumoniamnist_64.npz"
    arrays = medmnist(path, side=64)
    whole = load_pneumonia_xray(path=path)
    assert whole.images.shape == (15, 1, 64, 64)
    assert_array_equal(whole.split, ["train"] * 6 + ["val"] * 4 + ["test"] * 5)
    val = load_pneumonia_xray(path=str(path), subset="val")
    assert_allclose(val.images[:, 0] * 255, arrays["val_images"], atol=1e-4)
    assert_array_equal(val.target, [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"val_images": None}, "it has no val_images"),
        ({"test_labels": np.full((5, 1), 7)}, r"classes \[0, 1, 7\]"),
    ],
)
def test_another_file(tmp_path, changed, message):
    medmnist(tmp_path / "other.npz", **changed)
    with pytest.raises(ValueError, match=message):
        load_pneumonia_xray(path=tmp_path / "other.npz")


def test_colour_is_another_file(tmp_path):
    changed = {
        f"{part}_images": np.zeros((n, 28, 28, 3), np.uint8)
        for part, n in (("train", 6), ("val", 4), ("test", 5))
    }
    medmnist(tmp_path / "blood.npz", **changed)
    with pytest.raises(ValueError, match="grey pictures"):
        load_pneumonia_xray(path=tmp_path / "blood.npz")
    with pytest.raises(FileNotFoundError):
        load_pneumonia_xray(path=tmp_path / "none.npz")


def test_xrays_are_the_original_ones_drawn_as_described(xray, shared_data):
    with np.load(shared_data / "pneumoniamnist" / "pneumoniamnist.npz") as original:
        for part, n in (("train", 300), ("test", 150)):
            labels = original[f"{part}_labels"].ravel()
            rng = np.random.RandomState(0)
            rows = np.concatenate(
                [
                    np.sort(rng.permutation(np.flatnonzero(labels == c))[:n])
                    for c in (0, 1)
                ]
            )
            mine = xray.split == part
            pictures = np.round(xray.images[mine, 0] * 255)
            assert_array_equal(pictures, original[f"{part}_images"][rows])
            assert_array_equal(xray.target[mine], labels[rows])


def test_the_whole_file_of_the_shared_folder(shared_data):
    path = shared_data / "pneumoniamnist" / "pneumoniamnist.npz"
    X, y = load_pneumonia_xray(path=path, return_X_y=True)
    assert X.shape == (5856, 1, 28, 28)
    assert_array_equal(np.bincount(y), [1583, 4273])


def test_ultrasound_is_the_original_made_smaller(breast, shared_data):
    with np.load(shared_data / "busi_ultrasound" / "busi64.npz") as original:
        kinds = original["classes"][original["y"]]
        names = [
            f"{kind} ({number}).png"
            for kind, number in zip(kinds, original["file_no"], strict=True)
        ]
        rows = [names.index(name) for name in breast.file_names]
        blocks = original["X"][rows].reshape(-1, 32, 2, 32, 2).mean(axis=(2, 4))
        assert_array_equal(np.round(breast.images[:, 0] * 255), blocks.round())
        assert_array_equal(breast.target, original["y"][rows])
