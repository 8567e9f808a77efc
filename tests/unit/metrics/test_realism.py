"""The blind test: nothing tells the key, and answers are counted rightly."""

import pickle

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom, binomtest

from mlmi_sklearn.metrics import RealismStudy

SHAPE = (60, 1, 12, 10)


def images(offset, shape=SHAPE):
    """Images whose grey values tell kind and row: real dark, synthetic bright."""
    rows = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(offset + rows / 100, shape).copy()


REAL, MADE = images(0.0), images(0.05)


def study(n_items=40, pairs=False, seed=0, real=REAL, made=MADE):
    return RealismStudy(real, made, n_items=n_items, pairs=pairs, random_state=seed)


def grey(path):
    return np.round(255 * imread(path)[..., :3].astype(float)).astype(int)


@pytest.mark.parametrize("pairs", [False, True])
def test_the_key_is_balanced_by_coins_and_shows_each_image_once(pairs):
    shares = [
        (study(pairs=pairs, seed=s).key["answer"] == answer).mean()
        for s in range(40)
        for answer in (("left",) if pairs else ("real",))
    ]
    assert 0.45 < np.mean(shares) < 0.55
    assert np.std(shares) > 0.04, "a fixed share would let people count"
    key = study(pairs=pairs).key
    for kind in ("real", "synthetic"):
        shown = key[kind][key[kind] >= 0]
        assert shown.is_unique
        assert len(shown) == 40 if pairs else 5 < len(shown) < 35
    assert key["item"].tolist() == list(range(1, 41))
    assert key["file"].is_unique


def test_the_order_of_images_is_shuffled():
    key = study(pairs=True).key
    assert not key["real"].is_monotonic_increasing
    assert abs(np.corrcoef(key["item"], key["real"])[0, 1]) < 0.5


@pytest.mark.parametrize("pairs", [False, True])
def test_pictures_show_what_the_key_says(tmp_path, pairs):
    trial = study(pairs=pairs)
    trial.export(tmp_path, zoom=1)
    low, high = REAL.min(), REAL.max()
    level = {
        kind: np.round(255 * (np.clip(x[:, 0, 0, 0], low, high) - low) / (high - low))
        for kind, x in (("real", REAL), ("synthetic", MADE))
    }
    for row in trial.key.itertuples():
        picture = grey(tmp_path / row.file)
        if pairs:
            first, last = picture[0, 0, 0], picture[0, -1, 0]
            order = ["real", "synthetic"]
            order = order if row.answer == "left" else order[::-1]
            expected = [level[kind][getattr(row, kind)] for kind in order]
            assert [first, last] == expected
            assert picture.shape[1] > 20
        else:
            assert (picture == level[row.answer][getattr(row, row.answer)]).all()
            assert picture.shape == (12, 10, 3)


def test_the_folder_tells_nothing(tmp_path):
    trial = study()
    sheet = trial.export(tmp_path / "deep" / "blind")
    names = sorted(path.name for path in sheet.parent.iterdir())
    assert names == sorted([*trial.key["file"], "answers.csv", "instructions.txt"])
    table = pd.read_csv(sheet)
    assert table.columns.tolist() == ["item", "file", "answer"]
    assert table["answer"].isna().all()
    assert "real" not in sheet.read_text()
    text = (sheet.parent / "instructions.txt").read_text()
    assert "'real' or 'synthetic'" in text
    # Files of either kind have one header, depth and size.
    kinds = trial.key["answer"].to_numpy()
    heads = np.array([(sheet.parent / f).read_bytes()[:33] for f in trial.key["file"]])
    assert len(set(kinds)) == 2
    assert len(set(heads)) == 1
    assert "real" not in repr(trial)
    assert "answer" not in repr(trial)


def test_values_outside_the_real_range_do_not_give_the_depth_away(tmp_path):
    trial = study(made=images(-5.0), n_items=10)
    trial.export(tmp_path, zoom=1)
    for row in trial.key.itertuples():
        picture = grey(tmp_path / row.file)
        assert ((picture >= 0) & (picture <= 255)).all()
        if row.answer == "synthetic":
            assert (picture == 0).all()


def test_small_images_are_enlarged_by_squares(tmp_path):
    trial = study(n_items=2)
    picture = grey(trial.export(tmp_path).parent / "item_001.png")
    assert picture.shape == (25 * 12, 25 * 10, 3)
    noise = np.random.RandomState(0).rand(5, 6, 7)
    small = RealismStudy(noise, noise, n_items=1, random_state=0)
    small.export(tmp_path / "a", zoom=1)
    small.export(tmp_path / "b", zoom=3)
    one, three = (grey(tmp_path / name / "item_001.png") for name in "ab")
    assert_array_equal(three[1::3, 1::3], one)
    assert_array_equal(three[::3, 2::3], one)


def test_colour_and_images_without_channel(tmp_path):
    rng = np.random.RandomState(0)
    colour = rng.rand(10, 3, 8, 9)
    trial = RealismStudy(colour, colour, n_items=4, random_state=0)
    trial.export(tmp_path, zoom=1)
    row = trial.key.iloc[0]
    shown = colour[max(row["real"], row["synthetic"])]
    expected = 255 * (shown - colour.min()) / np.ptp(colour)
    assert abs(grey(tmp_path / row["file"]) - np.moveaxis(expected, 0, -1)).max() <= 1
    flat = RealismStudy(REAL[:, 0], MADE, n_items=40, random_state=0)
    pd.testing.assert_frame_equal(flat.key, study().key)


def test_constant_images(tmp_path):
    flat = np.ones((5, 8, 8))
    trial = RealismStudy(flat, flat, n_items=3, random_state=0)
    assert trial.export(tmp_path).exists()


def test_the_key_file_is_written_where_asked_and_never_beside_the_pictures(tmp_path):
    trial = study()
    for inside in ("blind/key.csv", "blind/more/key.csv"):
        with pytest.raises(ValueError, match="inside the folder"):
            trial.export(tmp_path / "blind", key_file=tmp_path / inside)
    assert not (tmp_path / "blind").exists()
    trial.export(tmp_path / "blind", key_file=tmp_path / "key.csv")
    written = pd.read_csv(tmp_path / "key.csv")
    pd.testing.assert_frame_equal(written, trial.key, check_dtype=False)


def test_answers_that_were_given_are_not_overwritten(tmp_path):
    trial = study()
    sheet = trial.export(tmp_path)
    sheet.write_text("item,answer\n1,real\n")
    with pytest.raises(FileExistsError, match="may hold answers"):
        trial.export(tmp_path)
    assert sheet.read_text() == "item,answer\n1,real\n"


@pytest.mark.parametrize("n_correct", [0, 11, 20, 27, 40])
@pytest.mark.parametrize("interval", ["exact", "wilson"])
def test_the_score_is_the_binomial_one(n_correct, interval):
    trial = study()
    other = {"real": "synthetic", "synthetic": "real"}
    answers = trial.key["answer"].tolist()
    answers = answers[:n_correct] + [other[a] for a in answers[n_correct:]]
    score = trial.score(answers, confidence=0.9, interval=interval)
    test = binomtest(n_correct, 40)
    ends = test.proportion_ci(0.9, method=interval)
    assert score[:6] == (
        n_correct / 40,
        ends.low,
        ends.high,
        test.pvalue,
        n_correct,
        40,
    )
    assert all(type(value) in (float, int) for value in score)


def test_the_documented_threshold():
    assert binomtest(33, 50).pvalue < 0.05 < binomtest(32, 50).pvalue


def test_guessing_by_any_habit_is_binomial():
    """Always the same answer has the coin's distribution, not that of a fixed share."""
    right = [
        study(n_items=10, seed=s).score(["real"] * 10).n_correct for s in range(300)
    ]
    shares = np.bincount(right, minlength=11) / 300
    assert_allclose(shares, binom.pmf(np.arange(11), 10, 0.5), atol=0.07)


def test_shares_called_real():
    trial = study()
    real = trial.key["answer"] == "real"
    always = trial.score(["real"] * 40)
    assert (always.real_called_real, always.synthetic_called_real) == (1, 1)
    assert always.accuracy == real.mean()
    answers = trial.key["answer"].where(real, "real").to_numpy(copy=True)
    answers[np.flatnonzero(real)[0]] = "synthetic"
    one_off = trial.score(answers)
    assert_allclose(one_off.real_called_real, 1 - 1 / real.sum())
    assert one_off.synthetic_called_real == 1
    pairs = study(pairs=True)
    left = (pairs.key["answer"] == "left").mean()
    score = pairs.score(["left"] * 40)
    assert_allclose(
        [score.real_called_real, score.synthetic_called_real], [left, 1 - left]
    )


def test_a_kind_that_was_not_shown():
    trial = next(
        t
        for t in (study(n_items=1, seed=s) for s in range(50))
        if t.key["answer"][0] == "real"
    )
    score = trial.score(["real"])
    assert score.real_called_real == 1
    assert np.isnan(score.synthetic_called_real)


def test_answers_in_every_form_count_the_same(tmp_path):
    trial = study()
    sheet = trial.export(tmp_path)
    table = pd.read_csv(sheet)
    rng = np.random.RandomState(1)
    table["answer"] = rng.choice(["real", "synthetic"], 40)
    expected = trial.score(table["answer"].tolist())
    untidy = table.assign(answer=" " + table["answer"].str.upper() + " ")
    forms = [
        table["answer"],
        table["answer"].to_numpy(),
        tuple(table["answer"]),
        table,
        table.sample(frac=1, random_state=0),
        untidy,
        dict(zip(table["item"], table["answer"], strict=True)),
        {str(i): a for i, a in zip(table["item"], table["answer"], strict=True)},
    ]
    assert all(trial.score(form) == expected for form in forms)
    table.to_csv(sheet, index=False)
    assert trial.score(sheet) == trial.score(str(sheet)) == expected
    untidy.sample(frac=1, random_state=0).to_csv(
        sheet, index=False, sep=";", encoding="utf-8-sig"
    )
    assert trial.score(sheet) == expected


def without(items):
    return {item: "real" for item in range(1, 41) if item not in items}


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (["real"] * 39, "answers must be 40, one for each item, got 39"),
        (["real"] * 41, "got 41"),
        ([], "got 0"),
        (["real"] * 39 + [None], "answers has no answer for item 40"),
        (["real"] * 39 + [np.nan], "no answer for item 40"),
        (["real"] * 39 + ["  "], "no answer for item 40"),
        (without({3, 7}), "no answer for items 3, 7"),
        (without(set(range(5, 25))), "items 5, 6, .*, 14 and 10 more"),
        (["real"] * 39 + ["fake"], "'real' or 'synthetic', got 'fake' for item 40"),
        (["left"] * 40, "got 'left' for item 1"),
        ({**without(()), 41: "real"}, "answers has item 41, but .* items 1 to 40"),
        ({**without(()), 0: "real"}, "answers has item 0"),
        ({**without(()), "x": "real"}, "items of answers must be numbers .* got 'x'"),
        ({**without(()), "4": "real"}, "more than one row for item 4"),
        (pd.DataFrame({"answer": ["real"] * 40}), "columns item and answer, got"),
    ],
)
def test_answers_that_are_not_complete(answers, message):
    with pytest.raises(ValueError, match=message):
        study().score(answers)


def test_an_empty_sheet_is_told_from_a_filled_one(tmp_path):
    trial = study()
    with pytest.raises(ValueError, match="no answer for items 1, 2, 3"):
        trial.score(trial.export(tmp_path))
    with pytest.raises(FileNotFoundError):
        trial.score(tmp_path / "other.csv")
    with pytest.raises(TypeError, match="answers must be a file"):
        trial.score(5)


def test_it_pickles_with_its_key_and_pictures(tmp_path):
    trial = study(pairs=True)
    again = pickle.loads(pickle.dumps(trial))
    pd.testing.assert_frame_equal(again.key, trial.key)
    assert again.score(["left"] * 40) == trial.score(["left"] * 40)
    trial.export(tmp_path / "a")
    again.export(tmp_path / "b")
    for name in trial.key["file"]:
        assert_array_equal(grey(tmp_path / "a" / name), grey(tmp_path / "b" / name))


def test_seeds():
    pd.testing.assert_frame_equal(study(seed=3).key, study(seed=3).key)
    assert not study(seed=3).key.equals(study(seed=4).key)
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    study(seed=3)
    assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_items": 61}, "real has 60 images, but n_items=61"),
        ({"made": MADE[:30]}, "synthetic has 30 images"),
        ({"n_items": 0}, "n_items"),
        ({"made": MADE[..., :5]}, "images of one shape"),
        ({"real": REAL[0, 0]}, "real must have shape"),
        ({"made": np.ones((60, 2, 12, 10))}, "synthetic must have shape"),
        ({"real": np.ones((60, 1, 4, 4, 4))}, "Of volumes, pass slices"),
        ({"made": np.full(SHAPE, np.nan)}, "synthetic must be finite"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        study(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 0}, "confidence"),
        ({"confidence": 1.0}, "confidence"),
        ({"interval": "normal"}, "interval must be 'exact' or 'wilson', got 'normal'"),
    ],
)
def test_options_of_the_score(options, message):
    with pytest.raises(ValueError, match=message):
        study().score(["real"] * 40, **options)


def test_a_zoom_out_of_range(tmp_path):
    with pytest.raises(ValueError, match="zoom"):
        study().export(tmp_path / "new", zoom=0)
    assert not (tmp_path / "new").exists()
