"""Parkinson's telemonitoring: patients, visits, columns, the original values."""

from importlib import resources
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from mlmi_sklearn.datasets import load_parkinsons_tasks


@pytest.fixture(scope="module")
def parkinsons():
    return load_parkinsons_tasks()


def test_counts_and_types(parkinsons):
    assert parkinsons.data.shape == (5875, 19)
    assert parkinsons.data.dtype == np.float64
    assert np.isfinite(parkinsons.data).all()
    assert parkinsons.target.shape == (5875,)
    assert parkinsons.target.dtype == np.float64
    assert parkinsons.frame is None
    assert parkinsons.target_names == ["motor_UPDRS"]
    assert parkinsons.feature_names[:3] == ["age", "sex", "test_time"]
    rows = np.bincount(parkinsons.patient)
    assert rows[0] == 0
    assert (len(rows), rows[1:].min(), rows[1:].max()) == (43, 101, 168)


def test_no_score_and_no_id_is_among_the_features():
    for features in ("all", "voice"):
        bunch = load_parkinsons_tasks(features=features)
        hidden = {"motor_UPDRS", "total_UPDRS", "patient", "visit", "subject"}
        assert not hidden & set(bunch.feature_names)


def test_voice_alone(parkinsons):
    voice = load_parkinsons_tasks(features="voice")
    assert voice.data.shape == (5875, 16)
    assert voice.feature_names == parkinsons.feature_names[3:]
    assert_array_equal(voice.data, parkinsons.data[:, 3:])
    assert_array_equal(voice.test_time, parkinsons.data[:, 2])


def test_either_score(parkinsons):
    total = load_parkinsons_tasks(target="total_UPDRS")
    assert total.target_names == ["total_UPDRS"]
    assert (total.target >= parkinsons.target).all()
    assert_allclose([total.target.min(), total.target.max()], [7, 54.992])
    assert_allclose(
        [parkinsons.target.min(), parkinsons.target.max()], [5.0377, 39.511]
    )
    assert_array_equal(total.data, parkinsons.data)


def test_age_and_sex_belong_to_the_patient(parkinsons):
    for patient in range(1, 43):
        rows = parkinsons.data[parkinsons.patient == patient]
        assert len(np.unique(rows[:, :2], axis=0)) == 1


def test_visits_are_numbered_in_the_order_of_time(parkinsons):
    n_visits = []
    for patient in range(1, 43):
        rows = parkinsons.patient == patient
        visit, time = parkinsons.visit[rows], parkinsons.test_time[rows]
        n_visits.append(visit.max() + 1)
        assert set(visit) == set(range(n_visits[-1]))
        spans = [(time[visit == v].min(), time[visit == v].max()) for v in set(visit)]
        for (_, end), (start, _) in pairwise(spans):
            assert start - end > 1
        assert max(end - start for start, end in spans) < 1
    assert (min(n_visits), max(n_visits), sum(n_visits)) == (17, 28, 990)


def test_most_visits_have_six_recordings(parkinsons):
    pairs = np.c_[parkinsons.patient, parkinsons.visit]
    sizes = np.unique(pairs, axis=0, return_counts=True)[1]
    assert np.median(sizes) == 6
    assert (sizes == 6).sum() == 909


def test_scores_change_with_time_and_not_within_a_visit(parkinsons):
    table = pd.DataFrame({name: parkinsons[name] for name in ("patient", "visit")})
    table["score"] = parkinsons.target
    within_visit = table.groupby(["patient", "visit"])["score"].std()
    within_patient = table.groupby("patient")["score"].std()
    assert within_visit.max() < 0.1
    assert within_visit.max() < within_patient.median() / 20
    assert within_patient.mean() < table["score"].std() / 2


def test_the_time_and_a_few_scores_tell_the_rest(parkinsons):
    """Two pieces of straight line through a patient: what the description warns of."""
    errors = []
    for patient in range(1, 43):
        rows = parkinsons.patient == patient
        time, score = parkinsons.test_time[rows], parkinsons.target[rows]
        knots = np.linspace(70, 110, 41)
        fits = [
            np.linalg.lstsq(hinge, score, rcond=None)[0] @ hinge.T
            for knot in knots
            for hinge in [np.c_[np.ones_like(time), time, np.maximum(time - knot, 0)]]
        ]
        errors.append(min(np.abs(fit - score).max() for fit in fits))
    assert np.median(errors) < 0.1


def test_as_tuple_and_frame(parkinsons):
    X, y = load_parkinsons_tasks(return_X_y=True, target="total_UPDRS")
    assert_array_equal(X, parkinsons.data)
    table = load_parkinsons_tasks(as_frame=True, target="total_UPDRS")
    assert_array_equal(table.data.to_numpy(), X)
    assert_array_equal(table.target, y)
    assert table.data.columns.tolist() == table.feature_names
    assert table.target.name == "total_UPDRS"
    for name in ("patient", "visit", "test_time"):
        assert table[name].name == name
        assert_array_equal(table[name], parkinsons[name])
    columns = {"patient", "visit", "motor_UPDRS", "total_UPDRS", *table.feature_names}
    assert set(table.frame.columns) == columns
    only_voice = load_parkinsons_tasks(as_frame=True, features="voice")
    assert set(only_voice.frame.columns) == columns
    assert only_voice.data.shape == (5875, 16)


def test_it_is_fresh_and_its_arrays_are_apart():
    first = load_parkinsons_tasks()
    first.data[:] = -1
    assert (first.test_time != -1).all()
    first.target[:] = -1
    assert load_parkinsons_tasks().target.min() > 5


def test_source_and_licence_are_stated(parkinsons):
    assert "CC BY 4.0" in parkinsons.DESCR
    assert "https://doi.org/10.24432/C5ZS3N" in parkinsons.DESCR
    folder = resources.files("mlmi_sklearn.datasets") / "data"
    licences = (folder / "LICENSES.md").read_text(encoding="utf-8")
    assert "parkinsons_telemonitoring.csv.gz" in licences
    assert "Athanasios Tsanas and Max Little" in licences


@pytest.mark.parametrize("target", ["UPDRS", "age", None, ["motor_UPDRS"], 0])
def test_an_unknown_score(target):
    with pytest.raises(
        ValueError, match="target must be 'motor_UPDRS' or 'total_UPDRS'"
    ):
        load_parkinsons_tasks(target=target)


@pytest.mark.parametrize("features", ["Voice", None, ["voice"], 16])
def test_unknown_features(features):
    with pytest.raises(ValueError, match="features must be 'all' or 'voice', got"):
        load_parkinsons_tasks(features=features)


def test_values_are_the_original_ones(shared_data):
    file = shared_data / "parkinsons_telemonitoring" / "parkinsons_updrs.csv.gz"
    original = pd.read_csv(file)
    table = load_parkinsons_tasks(as_frame=True).frame
    assert_array_equal(table["patient"], original["subject"])
    names = original.columns.drop("subject")
    assert_array_equal(table[names].to_numpy(), original[names].to_numpy())
