"""Which reader opens a file: named, chosen by the suffix, or passed."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from mlmi_sklearn import TileGrid, register_component
from mlmi_sklearn.components import unregister_component
from mlmi_sklearn.exceptions import (
    BagError,
    ComponentConflictError,
    ComponentNotFoundError,
    PluginError,
    PluginWarning,
)
from mlmi_sklearn.preprocessing import ArraySlide, image_slide, read_image
from mlmi_sklearn.preprocessing._readers import reader_for


class Folded(ArraySlide):
    """Files of this "format" hold one number, the brightness of all pixels."""

    closed = 0

    def __init__(self, path, size=64):
        try:
            value = float(path.read_text())
        except ValueError as error:
            raise ValueError(f"{path} holds no number.") from error
        super().__init__(np.full((size, size), value))

    def close(self):
        type(self).closed += 1


@pytest.fixture
def register():
    added = []

    def add(name, factory=Folded, **tags):
        tags = tags or {"suffixes": (".folded",)}
        added.append(name)
        return register_component("slide-reader", name, factory, tags=tags)

    yield add
    for name in added:
        unregister_component("slide-reader", name)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "a.FOLDED"
    file.write_text("0.5")
    return file


def grid(**params):
    return TileGrid(32, tissue=None, **params)


def test_a_suffix_chooses_the_reader(register, path):
    register("folded")
    before = Folded.closed
    bags = grid().fit_transform([path])
    assert bags.lengths.tolist() == [4]
    assert (bags.values == 0.5).all()
    assert Folded.closed == before + 2  # once in fit, once in transform
    assert bags.bag_ids.tolist() == ["a"]


def test_without_a_claim_the_package_reads(register, tmp_path):
    register("folded")
    np.save(tmp_path / "a.npy", np.ones((32, 32)))
    assert grid().fit_transform([tmp_path / "a.npy"]).n_instances == 1
    assert reader_for("a.png", "auto") is read_image
    assert reader_for("a.folded", None) is read_image


def test_parameters_reach_the_reader(register, path):
    register("folded")
    for reader in ("folded", "user:folded", "auto", Folded):
        made = grid(reader=reader, reader_params={"size": 96})
        assert made.fit_transform([path]).n_instances == 9
    again = pickle.loads(pickle.dumps(clone(made)))
    assert again.fit_transform([path]).n_instances == 9


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"reader": "foldd"}, ComponentNotFoundError, "Did you mean 'folded'"),
        ({"reader": None, "reader_params": {"size": 3}}, ValueError, "reader=None"),
        ({"reader_params": {"size": 3}}, BagError, "takes no reader_params"),
        ({"reader": 3}, ValueError, "'reader' parameter"),
        ({"reader_params": 3}, ValueError, "'reader_params' parameter"),
    ],
)
def test_impossible_requests(register, tmp_path, params, error, words):
    register("folded")
    np.save(tmp_path / "a.npy", np.ones((32, 32)))
    with pytest.raises(error, match=words):
        grid(**params).fit([tmp_path / "a.npy"])


def test_two_claims_are_settled_by_name(register, path):
    register("folded")
    register("other")
    with pytest.raises(BagError, match=r"image 0 .*folded' and 'user:other.*reader="):
        grid().fit([path])
    with pytest.raises(ComponentConflictError):
        reader_for(path, "auto")
    assert grid(reader="other").fit_transform([path]).n_instances == 4


def test_detect_has_the_last_word(register, path):
    class Choosy(Folded):
        @staticmethod
        def detect(path):
            return "b" in path.name

    register("folded")
    register("choosy", Choosy)
    assert grid().fit_transform([path]).n_instances == 4
    with pytest.raises(ComponentConflictError, match="choosy"):
        reader_for(path.with_name("b.folded"), "auto")


def test_a_reader_that_cannot_tell_is_passed_over(register, path):
    class Broken(Folded):
        @staticmethod
        def detect(path):
            raise RuntimeError("out of order")

    register("folded")
    register("broken", Broken)
    register("lost", "no_such_module_here:Reader")
    with pytest.warns(PluginWarning) as noted:
        assert grid().fit_transform([path]).n_instances == 4
    text = " ".join(str(one.message) for one in noted)
    assert "out of order" in text
    assert "no_such_module_here" in text


def test_files_that_are_missing_or_damaged_are_named(register, path, tmp_path):
    register("folded")
    with pytest.raises(FileNotFoundError, match=r"b\.folded is not a file"):
        grid().fit([tmp_path / "b.folded"])
    path.write_text("half")
    with pytest.raises(BagError, match=r"image 1 .*a\.FOLDED.*holds no number"):
        grid().fit([np.ones((32, 32)), path]).transform([np.ones((32, 32)), path])


def test_a_reader_that_returns_something_else(register, path):
    register("folded", lambda path: object())
    with pytest.raises(PluginError, match=r"returned a object without shape, read"):
        grid().fit([path])
    register("array", lambda path: np.ones((64, 64)), suffixes=(".x",))
    assert grid(reader="array").fit_transform([path]).n_instances == 4


def test_addresses_are_left_to_the_reader(register):
    register("cloud", lambda path: np.ones((32, 32)), suffixes=(".cloud",))
    assert grid().fit_transform(["s3://bucket/a.cloud"]).n_instances == 1


def test_damaged_images_are_value_errors_that_name_the_file(tmp_path):
    from PIL import Image

    whole = tmp_path / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(
        whole
    )
    content = whole.read_bytes()
    for name, data in {
        "cut.png": content[: len(content) // 2],
        "bad.tif": b"II*\0" + b"\xff" * 50,
        "bad.npy": b"\x93NUMPY rubbish",
    }.items():
        (tmp_path / name).write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(ValueError, match=name):
                image_slide(tmp_path / name)
            with pytest.raises(BagError, match=rf"image 0 .*{name}"):
                grid().fit([tmp_path / name])
