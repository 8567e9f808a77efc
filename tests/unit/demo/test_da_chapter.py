"""The chapter on domain adaptation: an honest protocol, and what it writes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.utils.validation import NotFittedError, check_is_fitted

from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import load_heart_multisite, make_shifted_digits
from mlmi_sklearn.demo.chapters import da, families_to_show
from mlmi_sklearn.demo.chapters.da import digits, fitting, hospitals, lambdas
from mlmi_sklearn.demo.chapters.da import hospital_pictures as pictures
from mlmi_sklearn.demo.chapters.da import hospital_runs as runs
from mlmi_sklearn.demo.chapters.da.settings import PRESETS, Settings
from mlmi_sklearn.demo.content import Metric, Scores
from mlmi_sklearn.demo.pictures import DARK, LIGHT, render
from mlmi_sklearn.demo.terminal import chapter_lines
from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.model_selection import iter_target_domains

TINY = Settings(
    hospital_epochs=1,
    digit_epochs=1,
    hospital_seeds=2,
    shifts=("roll", "blur"),
    draws=2,
    points=40,
    lambdas=(0.0, 0.3),
    lambda_draws=2,
)


@pytest.fixture(scope="module")
def written():
    """Return the chapter of a run of a few seconds."""
    return da.write(TINY)


@pytest.fixture(scope="module")
def heart():
    found = load_heart_multisite(missing="nan")
    return np.asarray(found.data), np.asarray(found.target), np.asarray(found.site)


@pytest.fixture
def task(heart):
    return next(iter(iter_target_domains(*heart, targets=["va"])))


# -- hospitals -----------------------------------------------------------------------


def test_every_method_that_adapts_has_a_control():
    rows = {m.name: m for m in runs.hospital_methods(TINY)}
    for ours, control in hospitals._pairs(TINY):
        assert rows[ours].ours
        assert not rows[control].ours
        a, b = (rows[n].estimator[-1].get_params() for n in (ours, control))
        differ = {key for key in a if a[key] is not b[key] and a[key] != b[key]}
        assert differ <= {"lambda_", "entropy_weight", "label_shift"}
        assert b.get("lambda_", 0.0) == b.get("entropy_weight", 0.0) == 0.0


def test_shown_labels_are_few_true_and_not_tested_on(heart, task):
    _, y, sites = heart
    labels, test = runs.reveal(task, y, 5, seed=0)
    target = sites == "va"
    shown = np.flatnonzero(target & (labels != -1))
    assert len(shown) == 5
    np.testing.assert_array_equal(labels[shown], y[shown])
    np.testing.assert_array_equal(labels[~target], y[~target])
    assert set(test) == set(np.flatnonzero(target)) - set(shown)
    assert (labels[test] == -1).all()
    assert (task.y[target] == -1).all()  # the task is left as it was
    again, _ = runs.reveal(task, y, 5, seed=0)
    np.testing.assert_array_equal(labels, again)
    assert not np.array_equal(labels, runs.reveal(task, y, 5, seed=1)[0])


def test_preprocessing_sees_rows_of_all_hospitals_and_no_label(heart, task):
    X, y, _ = heart
    labels, _ = runs.reveal(task, y, 5, seed=0)
    for method in runs.hospital_methods(TINY):
        model = fitting.fit_stacked(method.build(0), X, labels, task.sample_domain)
        np.testing.assert_allclose(model["impute"].statistics_, np.nanmean(X, axis=0))
        assert (model["scale"].n_samples_seen_ == len(X)).all()


def test_an_ordinary_classifier_learns_from_the_source_alone(heart, task):
    X, y, _ = heart
    method = runs.hospital_methods(TINY)[-1]
    assert method.name == runs.LOGISTIC
    labels, test = runs.reveal(task, y, 5, seed=0)
    fitted = fitting.fit_stacked(method.build(0), X, labels, task.sample_domain)
    turned = labels.copy()
    target = task.sample_domain < 0
    turned[target & (labels != -1)] = 1 - labels[target & (labels != -1)]
    other = fitting.fit_stacked(method.build(0), X, turned, task.sample_domain)
    np.testing.assert_array_equal(fitted[-1].coef_, other[-1].coef_)
    assert fitted[-1].classes_.tolist() == [0, 1]
    assert set(fitted.predict(X[test])) <= {0, 1}


@pytest.mark.parametrize("name", [runs.DANN, runs.ALONE])
def test_nets_without_labels_of_the_target_do_not_look_at_them(heart, task, name):
    X, y, _ = heart
    method = next(m for m in runs.hospital_methods(TINY) if m.name == name)
    labels, test = runs.reveal(task, y, 5, seed=0)
    hidden = np.where(task.sample_domain < 0, -1, y)
    chances = [
        fitting.fit_stacked(
            method.build(0), X, known, task.sample_domain
        ).predict_proba(X[test])
        for known in (labels, hidden)
    ]
    np.testing.assert_array_equal(*chances)


def test_warnings_are_kept_and_not_shown(heart, task, recwarn):
    X, _, _ = heart
    method = runs.hospital_methods(TINY)[0]
    model = method.build(0).set_params(model__diagnostics=True)
    fitting.fit_stacked(model, X, task.y, task.sample_domain)
    assert isinstance(model[-1].adaptation_report_.warnings, list)
    assert not [w for w in recwarn if issubclass(w.category, DomainWarning)]
    with pytest.raises(NotFittedError):
        check_is_fitted(method.estimator[-1])


def test_the_constant_answer_is_the_share_of_the_majority(heart, written):
    _, y, sites = heart
    row = written.sections[1].table.rows[-1]
    assert row.method == runs.MAJORITY
    for site in np.unique(sites):
        share = max(y[sites == site].mean(), 1 - y[sites == site].mean())
        # Five rows of the hospital are not tested on.
        bound = 5 / ((sites == site).sum() - 5)
        found = row.values[f"{site}_accuracy"]
        assert (abs(found - share) <= bound).all()
        assert (row.values[f"{site}_balanced_accuracy"] == 0.5).all()


def made_up(**balanced):
    """Return hospitals with made-up scores: the mean, and 0.1 more at two places."""
    names = ("here", "there")
    methods = runs.hospital_methods(TINY)
    rows = []
    for method in methods:
        mean = balanced.get(method.name, 0.7)
        jitter = np.array([-0.001, 0.001])
        values = {}
        for kind in ("accuracy", "balanced_accuracy"):
            values[f"here_{kind}"] = mean + 0.1 + jitter
            values[f"there_{kind}"] = mean - 0.1 + jitter
            values[kind] = mean + jitter
        rows.append(Scores(method.name, method.ours, values))
    found = runs.Hospitals(names, {"here": 0.3, "there": 0.8}, tuple(rows))
    found.majority = Scores(
        runs.MAJORITY,
        False,
        {"here_accuracy": np.full(2, 0.7), "there_accuracy": np.full(2, 0.8)},
    )
    found.estimated = {"here": [0.2, 0.4], "there": [0.9, 1.0]}
    return found


def against(found):
    metrics = hospitals._metrics(found, "balanced_accuracy")[:-1]
    return hospitals._against_controls(found, metrics, TINY)


def test_where_adapting_hurts_is_said_first():
    found = against(made_up(**{runs.DANN: 0.65}))
    assert found.headline == (
        "Below the same net without adaptation, in the mean: DANN."
    )
    assert (
        "DANN against Net without adaptation, by hospital: worse on here (0.80 to "
        "0.75) and there (0.60 to 0.55)."
    ) in found.details


def test_where_adapting_helps_nothing_else_is_said():
    _, mme = runs.names_with_labels(TINY.labels)
    found = against(made_up(**{runs.DANN: 0.75, runs.EM: 0.8, mme: 0.71}))
    assert found.headline.startswith("No method that adapts is below")
    assert sum("better on here" in text for text in found.details) == 3
    assert not any("worse" in text for text in found.details)


def test_a_baseline_dealt_with_before_is_not_compared_twice():
    found = against(made_up(**{runs.ALONE: 0.72}))
    assert not any(" beats " in text and runs.ALONE in text for text in found.details)


def test_accuracy_is_held_against_the_majority():
    found = hospitals._above_constant(
        made_up(), hospitals._metrics(made_up(), "accuracy")[:-1]
    )
    assert found.headline == "No method beats a constant answer by accuracy at: there."
    assert found.details[0] == (
        "here, 30 % sick, constant answer 0.70: 6 of 6 methods do better."
    )
    some = made_up(**{runs.DANN: 0.95})
    metrics = hospitals._metrics(some, "accuracy")[:-1]
    found = hospitals._above_constant(some, metrics)
    assert found.headline.startswith("At every hospital some method beats")
    assert found.details[1].endswith("1 of 6 methods do better: DANN.")


def test_true_and_estimated_shares_stand_side_by_side():
    found = made_up()
    finding = hospitals._of_shares(found)
    assert (
        "here 30 % (estimated 30 %) and there 80 % (estimated 95 %)"
        in (finding.details[0])
    )
    assert finding.details[1].endswith("where the target was: none.")
    found.warned.append("there")
    assert hospitals._of_shares(found).details[1].endswith("was: there.")


def test_pictures_of_hospitals_say_in_words_what_they_show():
    found = made_up(**{runs.DANN: 0.65})
    panel = pictures.changes_panel(found, "accuracy", hospitals._pairs(TINY), {})
    assert "here: DANN -0.05" in panel.alt
    for kind in ("accuracy", "balanced_accuracy"):
        if kind == "balanced_accuracy":
            found.majority.values.update(  # as in a run
                {f"{n}_{kind}": np.full(2, 0.5) for n in found.names}
            )
        panel = pictures.levels_panel(found, kind, {"here": "Here"})
        assert "Here: constant answer" in panel.alt
        for theme in (LIGHT, DARK):
            assert render(panel, theme).startswith(b"\x89PNG")


# -- digits --------------------------------------------------------------------------


def test_a_few_labels_of_each_digit_are_shown():
    _, y, domain = make_shifted_digits("roll", random_state=0)
    labels = digits.reveal(y, domain, 3, seed=0)
    shown = (domain < 0) & (labels != -1)
    assert np.bincount(labels[shown]).tolist() == [3] * 10
    np.testing.assert_array_equal(labels[labels != -1], y[labels != -1])
    assert (labels[domain >= 0] != -1).all()
    assert not np.array_equal(labels, digits.reveal(y, domain, 3, seed=1))


def test_methods_on_digits_differ_from_controls_in_one_thing():
    rows = {m.name: m.estimator[-1].get_params() for m in digits._methods(TINY)}
    control, mme = digits._names(TINY.shots)
    for ours, other, name in (
        (digits.DANN, digits.ALONE, "lambda_"),
        (mme, control, "entropy_weight"),
    ):
        a, b = rows[ours], rows[other]
        differ = {key for key in a if a[key] is not b[key] and a[key] != b[key]}
        assert differ == {name}


def test_shifts_that_defaults_were_chosen_on_are_named():
    text = digits._protocol(TINY)[1]
    assert "the target of roll, so gains there are flattered; not of blur." in text
    assert "1 epochs" in text


def test_presets_keep_to_shifts_there_are():
    for settings in PRESETS.values():
        for shift in settings.shifts:
            make_shifted_digits(shift, random_state=0)
        assert len(settings.shifts) <= 4  # or the table is too wide for a terminal
        assert settings.lambdas[0] == 0
        assert min(settings.draws, settings.hospital_seeds) >= 2
        assert settings.lambda_draws >= 2
    assert PRESETS["quick"].hospital_seeds < PRESETS["full"].hospital_seeds


# -- sentences -----------------------------------------------------------------------


def row(name, **means):
    return Scores(name, True, {k: np.array([v, v]) for k, v in means.items()})


def test_changes_are_judged_as_the_table_rounds_them():
    places = (Metric("a", "A"), Metric("b", "B"), Metric("c", "C"))
    ours = row("ours", a=0.5, b=0.3, c=0.70001)
    text = fitting.changes(ours, row("control", a=0.4, b=0.35, c=0.7), places, "place")
    assert text == (
        "ours against control, by place: worse on B (0.350 to 0.300); better on A "
        "(0.400 to 0.500); the same on C."
    )


def test_the_choice_of_each_score_is_given_with_what_it_is_worth():
    rows = [
        row("lambda 0", target_accuracy=0.3, source_accuracy=0.9, information=1.0,
            nuclear_norm=0.5),
        row("lambda 1", target_accuracy=0.6, source_accuracy=0.8, information=2.0,
            nuclear_norm=0.5),
    ]  # fmt: skip
    found = lambdas.choice_finding(rows, (0.0, 1.0))
    assert found.headline.endswith(
        "lambda 1 is best of these: 0.600, against 0.300 for lambda 0."
    )
    assert found.details[0].endswith(
        "source accuracy 0, which has 0.300; information (im) 1, which has 0.600; "
        "nuclear norm (bnm) 0, which has 0.300."
    )


# -- the chapter ---------------------------------------------------------------------


def test_the_chapter_is_registered():
    assert families_to_show("da") == ("da",)
    assert "da" in families_to_show("all")


def test_the_chapter_holds_its_experiments(written):
    repetitions = {
        "hospitals": TINY.hospital_seeds,
        "hospital-shares": TINY.hospital_seeds,
        "shifted-digits": TINY.draws,
        "lambda": TINY.lambda_draws,
    }
    tables = [section.table for section in written.sections]
    assert [table.key for table in tables] == list(repetitions)
    for table in tables:
        for row_ in table.rows:
            for metric in table.metrics:
                values = row_.values[metric.key]
                assert len(values) == repetitions[table.key]
                assert np.isfinite(values).all()
    for section in written.sections:
        assert all(finding.headline for finding in section.findings)
        assert "random_state" in " ".join(section.protocol)


def test_means_are_those_of_the_columns(written):
    for section, mean in zip(
        written.sections[:3],
        ("balanced_accuracy", "accuracy", "accuracy"),
        strict=True,
    ):
        *places, last = section.table.metrics
        assert last.key == mean
        for row_ in section.table.rows:
            columns = [row_.values[metric.key] for metric in places]
            np.testing.assert_allclose(np.mean(columns, axis=0), row_.values[mean])


def test_pictures_are_drawn_in_both_themes(written):
    panels = [
        panel
        for section in written.sections
        for figure in section.figures
        for panel in figure.panels
    ]
    assert len(panels) == 8
    for panel in panels:
        assert panel.alt.endswith(".")
        assert render(panel, LIGHT) != render(panel, DARK)


def test_lines_fit_a_terminal(written):
    tables = [text for text in chapter_lines(written) if re.search(r"± 0\.\d+$", text)]
    assert len(tables) == sum(len(s.table.rows) for s in written.sections)
    assert max(map(len, tables)) <= 100


def test_the_same_seeds_give_the_same_numbers(written):
    again = lambdas.lambda_section(TINY)
    for one, other in zip(
        written.sections[-1].table.rows, again.table.rows, strict=True
    ):
        for key, values in one.values.items():
            np.testing.assert_array_equal(values, other.values[key])


def test_the_code_in_the_chapter_runs(capsys, monkeypatch):
    plain = DANNClassifier.__init__

    def quick(self, *args, **kwargs):
        plain(self, *args, **{"max_epochs": 1, **kwargs})

    quick.__signature__ = __import__("inspect").signature(plain)
    monkeypatch.setattr(DANNClassifier, "__init__", quick)
    exec(compile(da._CODE, "chapter", "exec"), {})
    verdict, score, choice = capsys.readouterr().out.strip().split("\n")
    assert verdict.endswith(".")
    assert 0 <= float(score) <= 1
    assert choice
