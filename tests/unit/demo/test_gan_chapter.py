"""The chapter on conditional generation: an honest protocol, and what it writes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.utils import Bunch

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.datasets import load_pneumonia_xray
from mlmi_sklearn.demo.chapters import families_to_show, gan
from mlmi_sklearn.demo.chapters.gan import (
    balance,
    phantom,
    pixels,
    samplers,
    xray_pictures,
    xrays,
)
from mlmi_sklearn.demo.chapters.gan.phantom_pictures import Sweep
from mlmi_sklearn.demo.chapters.gan.settings import PRESETS, Settings, memory_of_mean
from mlmi_sklearn.demo.content import Scores
from mlmi_sklearn.demo.pictures import DARK, LIGHT, render
from mlmi_sklearn.demo.terminal import chapter_lines

TINY = Settings(
    shrink=4,
    trainings=2,
    xray_steps=8,
    compared=40,
    draws=2,
    balance_steps=5,
    frames=60,
    phantom_steps=4,
    lines=2,
    stops=3,
    repeats=2,
)


@pytest.fixture(scope="module")
def written():
    """Return the chapter of a run of some seconds."""
    return gan.write(TINY)


def row(name, ours=True, **values):
    return Scores(name, ours, {k: np.asarray(v, float) for k, v in values.items()})


# -- X-rays --------------------------------------------------------------------------


def test_pictures_to_judge_by_are_not_among_those_to_train_on():
    found = pixels.load_pictures(1)
    known = {x.tobytes() for x in found.X}
    assert not any(x.tobytes() in known for x in found.X_test)
    assert (found.X.shape, found.X_test.shape, found.side) == (
        (600, 784),
        (300, 784),
        28,
    )


def test_shrinking_averages_each_block_of_pixels():
    image = load_pneumonia_xray(subset="test").images[0, 0]
    small = pixels.pooled(image.reshape(1, -1), 14).reshape(14, 14)
    assert small[3, 5] == pytest.approx(image[6:8, 10:12].mean())
    np.testing.assert_array_equal(
        pixels.pooled(small.reshape(1, -1), 28).ravel(), small.ravel()
    )


def test_all_methods_draw_for_the_same_classes_and_by_their_seed():
    found = pixels.load_pictures(4)
    for draw in xrays._methods(TINY).values():
        one, same, other = (draw(found.X, found.y, seed) for seed in (0, 0, 1))
        assert one.shape == found.X.shape
        assert 0 <= one.min() <= one.max() <= 1
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()


def test_the_last_row_is_of_real_pictures(written):
    rows = {r.method: r for r in written.sections[0].table.rows}
    real = rows[xrays.REAL]
    assert not real.ours
    # Copies of what was trained on, as the attacker sees them at once.
    assert real.values["membership_auc"] == pytest.approx([1, 1])
    assert real.mean("coverage") > 0.7
    assert rows[xrays.GAN].mean("coverage") < 0.7  # after eight steps


def test_copies_and_collapse_are_called_so():
    found = pixels.load_pictures(4)
    same = np.repeat(found.X[:1], len(found.X), axis=0)
    drawn = {xrays.GAN: same, xrays.BETWEEN: found.X}
    finding = xrays.copies_finding(found, drawn, 60)
    assert "The generator has collapsed" in finding.headline
    assert "Training rows were memorised" in finding.details[0]
    assert "No sign of mode collapse" in finding.details[0]


def test_findings_on_use_are_made_from_numbers():
    def scores(name, tstr, coverage):
        ends = {"coverage": coverage, "recall": [0.5, 0.7]}
        return row(name, name == xrays.GAN, tstr=tstr, **ends)

    finding = xrays.use_finding(
        [
            scores(xrays.GAN, [0.7, 0.72], [0.9, 0.92]),
            scores(xrays.GAUSSIAN, [0.8, 0.82], [0.5, 0.52]),
            scores(xrays.BETWEEN, [0.6, 0.62], [0.9, 0.92]),
            scores(xrays.REAL, [0.9, 0.9], [0.8, 0.8]),
        ]
    )
    assert "is right for 71.0% of real ones, trained on real ones for 90.0%" in (
        finding.headline
    )
    text = " ".join(finding.details)
    assert f"{xrays.GAUSSIAN} beats {xrays.GAN}: accuracy" in text
    assert f"{xrays.GAN} beats {xrays.BETWEEN}: accuracy" in text
    assert f"{xrays.GAN} beats {xrays.GAUSSIAN}: coverage" in text
    assert f"{xrays.REAL} beats" not in text  # no rival, but what can be hoped for


def shown(drawn):
    side, names = 2, ("a", "b")
    X = np.linspace(0, 1, 8 * side * side).reshape(8, -1)
    return xray_pictures.Shown(
        pixels.Pictures(X, np.arange(8) % 2, X[::-1], np.arange(8) % 2, names),
        X if drawn is None else drawn,
    )


def test_pictures_of_a_class_are_of_that_class():
    both = shown(None)
    real, drawn = both.of_class(1)
    np.testing.assert_array_equal(real, both.real.X[1::2])
    np.testing.assert_array_equal(drawn, both.drawn[1::2])


def test_a_copy_is_seen_as_such():
    copies = shown(None).nearest()
    assert (copies[2] == 0).all()
    others = shown(np.full((8, 4), 2.0))
    assert (others.nearest()[2] > 0.5).all()
    assert "0.000 to training" in xray_pictures.nearest_panel(shown(None)).alt


def test_sheets_have_gaps():
    sheet = xray_pictures.sheet_of(np.arange(12.0).reshape(3, 4), 2, 2)
    assert sheet.shape == (5, 5)
    np.testing.assert_array_equal(sheet[3:, :2], [[8, 9], [10, 11]])
    assert np.isnan(sheet[2]).all()
    assert np.isnan(sheet[3:, 3:]).all()


# -- a rare class --------------------------------------------------------------------


def test_all_ways_see_the_same_pictures_and_are_judged_by_real_ones(monkeypatch):
    seen = []
    found = pixels.load_pictures(2)

    def note(way, X, y, pictures):
        seen.append((way.name, X, y))
        assert pictures.X_test is found.X_test
        return {"logistic": 0.5, "svc": 0.5}

    monkeypatch.setattr(balance, "_scores", note)
    balance._run(found, TINY)
    assert len(seen) == TINY.draws * 5
    plain = [X for name, X, _ in seen if name == balance.NOTHING]
    assert (plain[0] != plain[1]).any()  # another draw
    for number, (name, X, y) in enumerate(seen):
        counts = np.bincount(y).tolist()
        untouched = name in (balance.NOTHING, balance.WEIGHTS)
        assert counts == ([TINY.rare, 300] if untouched else [300, 300])
        np.testing.assert_array_equal(X[: TINY.rare + 300], plain[number // 5])


def test_only_one_way_weights_classes():
    weights = {way.name: way.weight for way in balance.ways(TINY)}
    assert weights.pop(balance.WEIGHTS) == "balanced"
    assert set(weights.values()) == {None}


@pytest.fixture
def lopsided():
    rng = np.random.default_rng(0)
    return rng.normal(size=(30, 3)), np.repeat([0, 1], [8, 22])


def test_repetitions_are_of_the_rare_class(lopsided):
    X, y = lopsided
    more, labels = samplers.oversampled(X, y, 0)
    assert np.bincount(labels).tolist() == [22, 22]
    known = {x.tobytes() for x in X[y == 0]}
    assert all(x.tobytes() in known for x in more[30:])


@pytest.mark.parametrize("there", [True, False])
def test_interpolation_is_called_smote_only_if_it_is(lopsided, there, monkeypatch):
    if there:
        pytest.importorskip("imblearn")
    monkeypatch.setattr(balance, "smote_there", lambda: there)
    monkeypatch.setattr(samplers, "smote_there", lambda: there)
    X, y = lopsided
    more, labels = samplers.smote(X, y, 0)
    np.testing.assert_array_equal(more[:30], X)
    assert np.bincount(labels).tolist() == [22, 22]
    assert (labels[30:] == 0).all()
    rare = X[y == 0]
    assert (more[30:] >= rare.min(0) - 1e-12).all()
    assert (more[30:] <= rare.max(0) + 1e-12).all()
    assert samplers.smote_name() == ("SMOTE" if there else "Interpolation")
    text = " ".join(balance._protocol(TINY))
    assert ("is not installed" in text) is not there


def test_without_imbalanced_learn_nothing_fails(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(samplers, "import_module", missing)
    assert not samplers.smote_there()
    assert "Interpolation" in [way.name for way in balance.ways(TINY)]


def test_interpolation_needs_no_more_neighbours_than_there_are():
    two = np.array([[0.0, 0.0], [1.0, 1.0]])
    drawn = samplers.interpolated(two, 20, 0)
    np.testing.assert_allclose(drawn[:, 0], drawn[:, 1])


def test_a_gaussian_has_mean_and_spread_of_its_class():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 400)
    X = np.where(y[:, None] == 0, 0.3, 0.7) + 0.05 * rng.normal(size=(800, 2))
    drawn = samplers.gaussians(X, y, 0)
    for label in (0, 1):
        real, made = X[y == label], drawn[y == label]
        np.testing.assert_allclose(made.mean(0), real.mean(0), atol=0.015)
        np.testing.assert_allclose(made.std(0), real.std(0), rtol=0.15)


def test_the_generator_is_not_praised_for_what_weights_do_as_well():
    names = (balance.NOTHING, balance.WEIGHTS, balance.REPEATED, "SMOTE")
    same = {"logistic": [0.7, 0.8, 0.9], "svc": [0.6, 0.7, 0.8]}
    none = {key: np.array(values) - 0.1 for key, values in same.items()}
    rows = [row(balance.GAN, **same)]
    rows += [row(n, False, **(none if n == balance.NOTHING else same)) for n in names]
    findings = balance.balance_findings(rows)
    assert "a simple baseline" in findings[0].headline
    text = " ".join(d for f in findings for d in f.details)
    assert "have the same balanced accuracy" in text
    assert "+0.100 for logistic regression and +0.100 for SVC" in text
    assert "Parity is the most to expect" in text
    assert "class_weight" in text


# -- the phantom ---------------------------------------------------------------------


def test_lines_are_new_and_within_the_scan():
    lines = phantom.probe_lines(8, 6)
    again = phantom.probe_lines(2, 6)
    np.testing.assert_array_equal(lines[:2], again)
    places = np.concatenate(lines)[:, :3, 3]
    assert (abs(places) <= [9, 9, 6]).all()
    for poses in lines:
        np.testing.assert_allclose(poses[0, :3, :3], poses[-1, :3, :3])
        assert np.linalg.norm(poses[-1, :3, 3] - poses[0, :3, 3]) > 3


def test_every_line_has_something_to_be_found():
    for settings in (*PRESETS.values(), TINY):
        for k, poses in enumerate(phantom.probe_lines(settings.lines, settings.stops)):
            seen = phantom._Line(poses, k).taken(0)
            assert np.isfinite(seen.landmarks).any()


def test_sweeps_differ_in_speckle_alone():
    line = phantom._Line(phantom.probe_lines(1, 3)[0], 0)
    one, other = line.taken(0), line.taken(1)
    np.testing.assert_array_equal(one.truth, other.truth)
    assert (one.images != other.images).any()
    np.testing.assert_array_equal(line.repeats(2, start=1)[0], other.images)


def test_the_nearest_frame_of_a_known_pose_is_its_own():
    known = np.random.default_rng(0).normal(size=(6, 3, 4, 4))
    rows = phantom.nearest_rows(known, known[[4, 1]] + 0.01)
    assert rows.tolist() == [4, 1]


def frames_at(landmarks):
    images = np.random.default_rng(0).normal(size=(2, 1, 4, 4))
    return images, Bunch(truth=images.copy(), landmarks=landmarks)


def test_what_is_missing_counts_as_far_off():
    nan = np.nan
    images, seen = frames_at(np.array([[[1.0, 1], [2, 2]], [[3, 3], [nan, nan]]]))
    found = seen.landmarks.copy()
    scores = phantom.judged(images, found, seen)
    assert scores == pytest.approx({"error": 0, "missing": 0, "correlation": 1})
    found[0, 0] = nan
    scores = phantom.judged(images, found, seen)
    assert (scores["error"], scores["missing"]) == pytest.approx((4 / 3, 1 / 3))
    scores = phantom.judged(-images, np.full_like(found, nan), seen)
    assert scores == pytest.approx({"error": 4, "missing": 1, "correlation": -1})


def test_errors_along_a_line_agree_with_the_table():
    nan = np.nan
    images, seen = frames_at(np.array([[[1.0, 1], [2, 2]], [[nan, nan], [nan, nan]]]))
    found = {"m": np.array([[[1.0, 2], [nan, nan]], [[nan, nan], [nan, nan]]])}
    sweep = Sweep(np.zeros((2, 4, 4)), seen, images[None], {}, found)
    errors = sweep.errors("m", 4.0)
    assert errors[0] == pytest.approx(2.5)
    assert np.isnan(errors[1])
    assert phantom.judged(images, found["m"], seen)["error"] == pytest.approx(2.5)


def test_rivals_stand_where_they_must(written):
    rows = {r.method: r for r in written.sections[2].table.rows}
    assert rows[phantom.REAL].mean("error") < 0.6 < rows[phantom.RANDOM].mean("error")
    assert rows[phantom.REAL].mean("spread") == pytest.approx(1, abs=0.25)
    np.testing.assert_array_equal(rows[phantom.NEAREST].values["spread"], 0)
    assert rows[phantom.RANDOM].mean("spread") > 1.5


@pytest.mark.parametrize(
    ("spread", "said"),
    [
        (0.2, "too little"),
        (0.6, "if less than it should be"),
        (1.0, "as it should be"),
        (2.0, "more than speckle"),
    ],
)
def test_the_noise_is_judged_by_its_number(spread, said):
    def scores(name, error):
        return row(name, name == phantom.GAN, error=error, spread=[spread, spread])

    finding = phantom.phantom_finding(
        [
            scores(phantom.GAN, [0.7, 0.8]),
            scores(phantom.NEAREST, [1.1, 1.21]),
            scores(phantom.RANDOM, [3.0, 3.3]),
            scores(phantom.REAL, [0.2, 0.2]),
        ]
    )
    assert "in the frame of the nearest pose by 1.2" in finding.headline
    assert f"{phantom.GAN} errs less than {phantom.NEAREST}" in finding.details[0]
    assert said in finding.details[2]


# -- the chapter ---------------------------------------------------------------------


def test_the_chapter_is_registered():
    assert families_to_show("gan") == ("gan",)
    assert families_to_show("all")[-1] == "gan"


def test_presets_are_possible():
    for settings in PRESETS.values():
        assert 28 % settings.shrink == 0
        assert settings.rare < 300
        assert min(settings.trainings, settings.draws, settings.lines) >= 2
        assert min(settings.stops, settings.repeats) >= 2
    quick, full = PRESETS["quick"], PRESETS["full"]
    for name in ("xray_steps", "balance_steps", "phantom_steps", "frames", "lines"):
        assert getattr(quick, name) < getattr(full, name)


def test_short_trainings_have_short_memories():
    found = [memory_of_mean(steps) for steps in (1, 100, 1000, 10**6)]
    assert found == sorted(found)
    assert 0.8 < found[0] <= found[-1] == 0.999


def test_the_chapter_holds_its_experiments(written):
    repetitions = {"x-rays": 2, "balance": 2, "phantom": 2}
    assert [s.table.key for s in written.sections] == list(repetitions)
    for section in written.sections:
        assert [r.ours for r in section.table.rows].count(True) == 1
        for scores in section.table.rows:
            for metric in section.table.metrics:
                values = scores.values[metric.key]
                assert len(values) == repetitions[section.table.key]
                assert np.isfinite(values).all()
        assert all(f.headline.endswith(".") for f in section.findings)
        assert "random_state" in " ".join(section.protocol)


def test_pictures_are_drawn_in_both_themes(written):
    panels = [p for s in written.sections for f in s.figures for p in f.panels]
    assert len(panels) == 2 + 1 + 2 + 3
    assert len({p.key for p in panels}) == len(panels)
    for panel in panels:
        assert panel.alt.endswith(".")
        assert render(panel, LIGHT) != render(panel, DARK)


def test_lines_fit_a_terminal(written):
    wide = [line for line in chapter_lines(written) if re.search(r"\d\.\d\d$", line)]
    assert max(map(len, wide)) <= 100


def test_the_same_seeds_give_the_same_numbers(written):
    again = phantom.phantom_section(TINY)
    for one, other in zip(
        written.sections[2].table.rows, again.table.rows, strict=True
    ):
        for key, values in one.values.items():
            np.testing.assert_array_equal(values, other.values[key])


def test_the_code_in_the_chapter_runs(capsys, monkeypatch):
    fit, rows = CGANSampler.fit, []

    def quick(self, X, y):
        rows.append(X.shape)
        return fit(self.set_params(max_iter=5), X, y)

    def few(subset):
        xray = load_pneumonia_xray(subset=subset)
        return Bunch(data=xray.data[::10], target=xray.target[::10])

    monkeypatch.setattr(CGANSampler, "fit", quick)
    monkeypatch.setattr("mlmi_sklearn.datasets.load_pneumonia_xray", few)
    exec(compile(gan._CODE, "chapter", "exec"), {})
    table = capsys.readouterr().out
    assert rows == [(60, 784)]
    assert [word in table for word in ("tstr", "coverage", "dcr", "ideal")] == [
        True
    ] * 4
    assert table.strip().endswith(".")
