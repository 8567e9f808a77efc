"""Omniglot: pictures, codes, rotations, the split, the original values."""

from importlib import resources

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mlmi_sklearn.datasets import load_omniglot_small

ROW_ARRAYS = (
    "data",
    "images",
    "target",
    "base_character",
    "rotation",
    "alphabet",
    "drawer",
    "split",
)


@pytest.fixture(scope="module")
def plain():
    return load_omniglot_small()


@pytest.fixture(scope="module")
def turned():
    return load_omniglot_small(rotations=True)


def test_counts_and_types(plain):
    assert plain.data.shape == (19280, 1, 14, 14)
    assert plain.data.dtype == np.float32
    assert plain.data.flags.c_contiguous
    assert plain.images is plain.data
    assert plain.target.dtype == np.int64
    assert_array_equal(np.bincount(plain.target), np.full(964, 20))
    assert_array_equal(plain.target, np.sort(plain.target))
    assert len(plain.target_names) == 964 == len(set(plain.target_names))
    assert len(plain.alphabet_names) == 30 == len(set(plain.alphabet_names))
    assert all(len(plain[name]) == 19280 for name in ROW_ARRAYS)


def test_every_character_has_one_drawing_of_each_drawer(plain):
    assert_array_equal(plain.drawer, np.tile(np.arange(1, 21), 964))


def test_alphabets_agree_with_names(plain):
    prefixes = [name.split("/")[0] for name in plain.target_names]
    assert_array_equal(
        plain.alphabet_names[plain.alphabet[::20]], np.array(prefixes, dtype=str)
    )
    sizes = np.bincount(plain.alphabet) // 20
    assert (sizes.min(), sizes.max(), sizes.sum()) == (14, 55, 964)
    greek = [name for name in plain.target_names if name.startswith("Greek/")]
    assert greek == [f"Greek/character{number:02d}" for number in range(1, 25)]


def test_ink_is_one_and_the_small_pictures_are_means_of_blocks(plain):
    large = load_omniglot_small(size=28)
    assert set(np.unique(large.data)) == {0, 1}
    assert 0.05 < large.data.mean() < 0.12
    assert set(np.unique(plain.data)) == {0, 0.25, 0.5, 0.75, 1}
    blocks = large.data.reshape(-1, 1, 14, 2, 14, 2)
    assert_array_equal(plain.data, blocks.mean(axis=(3, 5)))
    assert_array_equal(plain.target, large.target)
    assert large.data.any(axis=(1, 2, 3)).all()


def test_pictures_show_characters(plain):
    """Pictures of one character are alike: with shuffled labels the rank is a half."""
    pictures = plain.data.reshape(964, 20, -1)
    first, second = pictures[:, 0], pictures[:, 1]
    distance = ((first[:, None, :] - second[None]) ** 2).sum(axis=2)
    rank = (distance < np.diag(distance)[:, None]).mean(axis=1)
    assert np.median(rank) < 0.25
    strangers = np.roll(distance, 200, axis=1).diagonal()
    assert 0.4 < np.median((distance < strangers[:, None]).mean(axis=1)) < 0.6


def test_rotations_are_new_characters(plain, turned):
    n = len(plain.target)
    assert turned.data.shape == (4 * n, 1, 14, 14)
    assert_array_equal(np.bincount(turned.target), np.full(4 * 964, 20))
    for quarter, block in enumerate(turned.data.reshape(4, n, 14, 14)):
        assert_array_equal(block, np.rot90(plain.data[:, 0], quarter, axes=(1, 2)))
    assert_array_equal(turned.data[:n], plain.data)
    assert_array_equal(turned.target[:n], plain.target)
    assert_array_equal(turned.target_names[:964], plain.target_names)


def test_counter_clockwise_moves_the_right_edge_to_the_top(turned):
    upright, quarter = turned.data[0, 0], turned.data[19280, 0]
    assert_array_equal(quarter[0], upright[:, -1])
    assert_array_equal(quarter[:, 0], upright[0, ::-1])


def test_a_rotated_character_knows_where_it_comes_from(turned):
    assert_array_equal(turned.base_character, turned.target % 964)
    assert_array_equal(turned.rotation, turned.target // 964 * 90)
    assert set(turned.rotation) == {0, 90, 180, 270}
    names = turned.target_names[turned.target]
    bases = turned.target_names[turned.base_character]
    for row in (0, 19280, 40000, 77119):
        end = f"/rot{turned.rotation[row]:03d}" if turned.rotation[row] else ""
        assert names[row] == bases[row] + end
    for name in ("alphabet", "drawer", "split"):
        assert_array_equal(turned[name].reshape(4, -1), [turned[name][:19280]] * 4)


def test_the_split_has_no_character_on_both_sides(turned):
    train, test = turned.split == "train", turned.split == "test"
    assert (train | test).all()
    sides = [set(turned.base_character[side]) for side in (train, test)]
    assert [len(side) for side in sides] == [713, 251]
    assert not sides[0] & sides[1]
    assert not set(turned.target[train]) & set(turned.target[test])
    assert set(turned.alphabet[train]) == set(turned.alphabet[test]) == set(range(30))


def test_the_split_stays_what_it_is(plain):
    """Figures in print rest on it: these are the first ones of the test side."""
    held_out = np.unique(plain.target[plain.split == "test"])
    assert held_out[:8].tolist() == [9, 11, 19, 23, 24, 25, 28, 32]
    assert held_out.sum() == 118222


@pytest.mark.parametrize("subset", ["train", "test"])
def test_subsets_are_rows_of_the_whole(turned, subset):
    part = load_omniglot_small(rotations=True, subset=subset)
    rows = turned.split == subset
    for name in ROW_ARRAYS:
        assert_array_equal(part[name], turned[name][rows])
    assert_array_equal(part.target_names, turned.target_names)


def test_as_tuple(plain):
    X, y = load_omniglot_small(return_X_y=True)
    assert_array_equal(X, plain.data)
    assert_array_equal(y, plain.target)


def test_it_is_fresh_at_every_call():
    first = load_omniglot_small(subset="test")
    first.data[:] = 7
    first.target[:] = 5
    again = load_omniglot_small(subset="test")
    assert again.data.max() == 1
    assert len(set(again.target)) == 251


def test_source_and_licence_are_stated(plain):
    assert "MIT, Copyright (c) 2015 Brenden Lake" in plain.DESCR
    assert "https://github.com/brendenlake/omniglot" in plain.DESCR
    folder = resources.files("mlmi_sklearn.datasets") / "data"
    licences = (folder / "LICENSES.md").read_text(encoding="utf-8")
    for part in ("omniglot_small.npz", "Copyright (c) 2015 Brenden Lake"):
        assert part in licences
    assert "The above copyright notice and this permission notice shall be" in licences
    assert len((folder / "omniglot_small.npz").read_bytes()) < 700_000


@pytest.mark.parametrize("size", [0, 15, 105, 14.0, "14", True, None, [14]])
def test_an_unknown_size(size):
    with pytest.raises(ValueError, match="size must be 14 or 28, got"):
        load_omniglot_small(size=size)


@pytest.mark.parametrize("subset", ["validation", "Train", None, ["train"], 1])
def test_an_unknown_subset(subset):
    with pytest.raises(ValueError, match=r"subset must be one of .*'all'.*got"):
        load_omniglot_small(subset=subset)


def test_values_are_the_original_ones(shared_data):
    with np.load(shared_data / "omniglot" / "omniglot_background28.npz") as original:
        pictures = np.unpackbits(original["X"], axis=-1)[..., :28]
        omniglot = load_omniglot_small(size=28)
        assert_array_equal(omniglot.data[:, 0], pictures)
        assert_array_equal(omniglot.target, original["character"])
        assert_array_equal(omniglot.alphabet, original["alphabet"])
        assert_array_equal(omniglot.target_names, original["character_names"])
        assert_array_equal(omniglot.alphabet_names, original["alphabet_names"])
