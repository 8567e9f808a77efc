"""The chapter on meta-learning: an honest protocol, and what it writes."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mlmi_sklearn import ProtoNetClassifier
from mlmi_sklearn.datasets import load_omniglot_small, load_parkinsons_tasks
from mlmi_sklearn.demo.chapters import families_to_show, meta
from mlmi_sklearn.demo.chapters.meta import character_pictures as drawings
from mlmi_sklearn.demo.chapters.meta import characters, patients, sinusoids, words
from mlmi_sklearn.demo.chapters.meta import sinusoid_pictures as curves
from mlmi_sklearn.demo.chapters.meta.settings import PRESETS, Settings
from mlmi_sklearn.demo.content import Metric, Scores
from mlmi_sklearn.demo.pictures import DARK, LIGHT, render
from mlmi_sklearn.demo.terminal import chapter_lines
from mlmi_sklearn.model_selection import few_shot_score

TINY = Settings(
    maml_episodes=16,
    proto_episodes=2,
    source_epochs=1,
    scratch_epochs=2,
    episodes=3,
    curves=20,
    curve_epochs=2,
    pretraining_epochs=2,
    new_curves=3,
    patient_epochs=1,
    pooled_epochs=1,
    adapt_epochs=1,
    visits=(1, 10),
)


@pytest.fixture(scope="module")
def written():
    """Return the chapter of a run of some seconds."""
    return meta.write(TINY)


def row(name, ours=True, **values):
    return Scores(name, ours, {k: np.asarray(v, float) for k, v in values.items()})


# -- characters ----------------------------------------------------------------------


def test_new_characters_are_new_even_turned():
    known = load_omniglot_small(subset="train")
    new = load_omniglot_small(subset="test")
    assert not set(known.base_character) & set(new.base_character)


def test_the_task_in_the_pictures_is_the_first_of_the_score():
    new = load_omniglot_small(subset="test")
    support, query = characters._first_task(new, TINY)
    assert (len(support), len(query), len(set(new.target[support]))) == (25, 75, 5)
    assert not set(support) & set(query)
    model = characters.learners(TINY)[-1].estimator
    score = few_shot_score(
        model, new.data, new.target, n_shot=5, n_episodes=3, random_state=0
    )
    first = model.fit(new.data[support], new.target[support])
    assert first.score(new.data[query], new.target[query]) == score.frame["score"][0]


def test_those_that_know_nothing_are_trained_anew_and_not_before():
    learners = {m.name: m for m in characters.learners(TINY)}
    for name in (characters.SCRATCH, characters.LOGISTIC):
        assert not learners[name].practises
        assert not hasattr(learners[name].estimator, "adapt")
        assert not learners[name].ours
    for name in (characters.MAML, characters.PROTO, characters.FINE_TUNED):
        assert learners[name].practises
        assert hasattr(learners[name].estimator, "adapt")


@pytest.fixture
def shown():
    images = np.zeros((12, 1, 14, 14))
    target = np.repeat([3, 7], 6)
    support, query = np.array([0, 6]), np.array([1, 2, 3, 7, 8, 9])
    answers = {"right": target[query], "wrong": np.where(target[query] == 3, 7, 3)}
    return drawings.Shown(images, target, support, query, answers)


def test_pictures_count_what_is_right_and_frame_what_is_not(shown):
    right, wrong = (drawings.query_panel(shown, name) for name in ("right", "wrong"))
    assert right.alt == "Drawings to be read, by right: 6 of 6 right."
    assert wrong.alt == "Drawings to be read, by wrong: 0 of 6 right."
    frames = [len(panel.draw(LIGHT).axes[0].patches) for panel in (right, wrong)]
    assert frames == [0, 6]


def test_rows_of_the_pictures_are_the_true_characters(shown):
    assert drawings._in_rows(shown, shown.query) == [[1, 2, 3], [7, 8, 9]]
    marks = [
        t.get_text()
        for t in drawings.query_panel(shown, "wrong").draw(LIGHT).axes[0].texts
    ]
    assert marks.count("2") == 3 + 1  # three 3s were taken for the second; and its name


# -- sine waves ----------------------------------------------------------------------


def test_new_curves_are_scored_in_the_same_order_for_all(written):
    table = written.sections[1].table
    assert [r.method for r in table.rows] == list(sinusoids.candidates())
    for scores in table.rows:
        assert all((v >= 0).all() for v in scores.values.values())
    named = words.by_method(table.rows)
    # Before a step, the number of points cannot matter but for which are judged.
    a, b = (named["MAML, as it begins"].values[f"mse_{n}"] for n in (5, 10))
    np.testing.assert_allclose(a, b, rtol=0.5)


def test_lines_that_run_away_are_cut():
    grid = np.linspace(0, 1, 3)
    truth = np.array([0.0, 1.0, -2.0])

    def curve(line):
        return curves.Curve("m", grid, truth, (grid[:1, None], truth[:1]), {"l": line})

    assert curves.common_reach([curve(truth / 2)]) == pytest.approx(2.1)
    assert curves.common_reach([curve(truth * 1.5)]) == pytest.approx(3.15)
    assert curves.common_reach([curve(truth * 99)]) == pytest.approx(3.78)


def test_the_text_of_a_curve_has_its_errors():
    grid = np.zeros(2)
    curve = curves.Curve("M", grid, grid, (grid[:, None], grid), {"1 step": grid + 2})
    alt = curves.curve_panel(curve, 1.0).alt
    assert alt == "M: squared error over the whole curve, 1 step 4.00."


# -- patients ------------------------------------------------------------------------


def test_no_patient_and_no_visit_is_on_both_sides(monkeypatch):
    voice = load_parkinsons_tasks(features="voice")
    asked = []

    def learnt(X, y, patient, settings):
        def predict(seen, known, later):
            asked.append((set(patient.tolist()), seen, later))
            guess = np.full(len(later), known.mean())
            return dict.fromkeys(patients.METHODS, guess)

        return predict

    monkeypatch.setattr(patients, "_learnt", learnt)
    rows = patients._run(TINY)
    assert len(asked) == 42 * len(TINY.visits)
    who = {tuple(x): (p, v) for x, p, v in zip(
        voice.data, voice.patient, voice.visit, strict=True
    )}  # fmt: skip
    for learnt_from, seen, later in asked:
        before, after = ([who[tuple(x)] for x in part] for part in (seen, later))
        new = {p for p, _ in (*before, *after)}
        assert len(new) == 1
        assert not new & learnt_from
        assert max(v for _, v in before) < 10 <= min(v for _, v in after)
    for scores in rows:
        assert len(scores.values["visits_10"]) == 42


def test_joining_scores_in_time_is_exact_on_lines():
    visit = np.repeat(np.arange(20), 2)
    time = visit * 7.0 + np.tile([0, 0.01], 20)
    found = patients.spread_visits(visit, time, 3 * time + 1)
    assert found["joined_in_time"] < 0.02
    assert found["spread_in_time"] > 50


def test_findings_are_made_from_numbers():
    metrics = (Metric("visits_1", "1 visit", 2), Metric("visits_10", "10 visits", 2))
    rows = [
        row(patients.MAML, visits_1=[3, 4, 5], visits_10=[1.0, 2.0, 3.1]),
        row(patients.MEAN, False, visits_1=[2, 3, 4], visits_10=[2.0, 3.0, 4.0]),
    ]
    found = patients.patient_finding(rows, metrics)
    assert found.headline == (
        "Least error: after 1 visit Mean of the visits seen (3.00); after 10 visits "
        "MAML (2.03)."
    )
    assert found.details == (
        "MAML errs less than Mean of the visits seen: error after 10 visits 2.03 "
        "against 3.00, 0.97 (95 % interval 0.82 to 1.11) less.",
    )


# -- sentences -----------------------------------------------------------------------

ERROR = Metric("error", "error", 2)


def test_the_better_one_comes_first_whoever_it_is():
    a, b = row("A", error=[1, 2, 3]), row("B", False, error=[2, 3, 4.1])
    assert words.error_verdict(a, b, ERROR) == words.error_verdict(b, a, ERROR)
    assert words.error_verdict(a, b, ERROR).startswith("A errs less than B: error 2.00")


def test_what_could_be_chance_is_called_so():
    a, b = row("A", error=[1, 2, 3]), row("B", error=[3, 1, 2.3])
    assert words.error_verdict(a, b, ERROR).endswith("less, which could be chance.")
    assert words.error_verdict(a, a, ERROR) == "A and A have the same error, 2.00."


def test_intervals_stand_beside_their_means():
    values = words.with_widths({"error": np.array([0.1, 0.2, 0.3])})
    columns = words.with_intervals(ERROR)
    assert [c.key for c in columns] == list(values)
    assert values["error_ci95"] == pytest.approx([0.248, 0.248, 0.248], abs=1e-3)
    assert not any(c.spread for c in columns)


# -- the chapter ---------------------------------------------------------------------


def test_the_chapter_is_registered():
    assert families_to_show("meta") == ("meta",)
    assert "meta" in families_to_show("all")


def test_presets_are_possible():
    for settings in PRESETS.values():
        assert settings.visits == tuple(sorted(settings.visits))
        assert settings.visits[-1] <= 10
        assert min(settings.episodes, settings.new_curves, settings.folds) >= 2
    quick, full = PRESETS["quick"], PRESETS["full"]
    assert quick.maml_episodes < full.maml_episodes
    assert quick.episodes < full.episodes


def test_the_chapter_holds_its_experiments(written):
    repetitions = {"characters": 3, "sinusoids": 3, "patients": 42}
    assert [s.table.key for s in written.sections] == list(repetitions)
    for section in written.sections:
        for scores in section.table.rows:
            for metric in section.table.metrics:
                values = scores.values[metric.key]
                assert len(values) == repetitions[section.table.key]
                assert np.isfinite(values).all()
        assert all(f.headline.endswith(".") for f in section.findings)
        assert "random_state" in " ".join(section.protocol)


def test_there_is_a_trap_in_the_scores_of_patients(written):
    mean = words.by_method(written.sections[2].table.rows)[patients.MEAN]
    assert mean.mean("joined_in_time") < 0.1 < 1 < mean.mean("spread_in_time")


def test_pictures_are_drawn_in_both_themes(written):
    panels = [p for s in written.sections for f in s.figures for p in f.panels]
    assert len(panels) == 6 + 3 + 2
    for panel in panels:
        assert panel.alt.endswith(".")
        assert render(panel, LIGHT) != render(panel, DARK)


def test_lines_fit_a_terminal(written):
    wide = [line for line in chapter_lines(written) if re.search(r"\d\.\d\d$", line)]
    assert max(map(len, wide)) <= 100


def test_the_same_seeds_give_the_same_numbers(written):
    again = sinusoids.sinusoids_section(TINY)
    for one, other in zip(
        written.sections[1].table.rows, again.table.rows, strict=True
    ):
        for key, values in one.values.items():
            np.testing.assert_array_equal(values, other.values[key])


def test_the_code_in_the_chapter_runs(capsys, monkeypatch):
    fit, rows = ProtoNetClassifier.fit, []

    def quick(self, X, y, groups=None):
        rows.append(len(y))
        return fit(self.set_params(episodes_per_epoch=2), X, y, groups)

    monkeypatch.setattr(ProtoNetClassifier, "fit", quick)
    exec(compile(meta._CODE, "chapter", "exec"), {})
    score, study = capsys.readouterr().out.strip().split("\n")
    assert rows == [713 * 20]
    assert 0.2 < float(score) <= 1
    assert re.fullmatch(r"0\.\d+ ± 0\.\d+ \(50 episodes, 5-way 5-shot\)", study)
