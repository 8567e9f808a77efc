"""Mistakes of a first day: messages name the argument and say what would be right."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from mlmi_sklearn import ImportanceWeightedClassifier, pack_domains
from mlmi_sklearn.exceptions import DomainWarning
from mlmi_sklearn.metrics import im_scorer
from mlmi_sklearn.model_selection import DomainStratifiedKFold, safe_cv, safe_select


def test_the_warning_of_no_target_shows_the_ids(toy, dann):
    X, y, ids = toy
    with pytest.warns(
        DomainWarning, match=r"names no row of a target \(ids: [01], [01]"
    ):
        dann().fit(X, y, np.where(ids < 0, 1, 0))
    names = np.where(ids < 0, "Bern", "Basel")
    with pytest.warns(DomainWarning, match=r"'Bern'.*target_domains=\['bern'\]\)"):
        dann(target_domains=["bern"]).fit(X, y, names)
    with pytest.warns(DomainWarning, match=r"\(ids: [0-9, ]+, \.\.\.\)"):
        dann().fit(X, y, np.arange(70) % 7)


@pytest.mark.parametrize(
    ("n", "shown"),
    [(1, "0"), (5, "0, 1, 2, 3, 4"), (6, "0, 1, 2, 3, 4, ...")],
)
def test_the_warning_of_no_target_shows_five_ids_and_says_what_to_do(
    domains, dann, n, shown
):
    X, y, _ = domains()
    with pytest.warns(DomainWarning) as caught:
        dann(max_epochs=1).fit(X, y, np.arange(70) % n)
    (message,) = [str(w.message) for w in caught]
    assert message == (
        f"sample_domain names no row of a target (ids: {shown}), so DANNClassifier "
        "trains on the source alone. Targets have ids below 0, or are named by "
        "target_domains=[...]. In a cross-validation, use "
        "mlmi_sklearn.model_selection.DomainStratifiedKFold."
    )


def test_a_target_that_was_forgotten_is_asked_for_by_the_names_of_arguments(toy, dann):
    X, y, _ = toy
    with pytest.warns(DomainWarning) as caught:
        dann(partial=True, label_shift="em").fit(X, y)
    (message,) = [str(w.message) for w in caught]
    assert message.startswith(
        "partial=True is for a target, and none was passed (sample_domain=, X_target=)"
        ", so DANNClassifier trains on the source alone. "
    )
    with pytest.warns(DomainWarning, match=r"^X_target names no row of a target, so "):
        dann().fit(X, y, X_target=X[:0])


@pytest.mark.parametrize(
    "option", [{"label_shift": "em"}, {"partial": True}, {"selection": "check"}]
)
def test_options_for_a_target_that_was_forgotten(toy, dann, option):
    X, y, _ = toy
    name = next(iter(option))
    with pytest.warns(DomainWarning, match=f"{name}=.* is for a target") as caught:
        dann(**option).fit(X, y)
    assert len(caught) == 1


def test_the_name_of_a_column_is_no_id(toy, dann):
    X, y, ids = toy
    frame = pd.DataFrame(X, columns=list("abcd")).assign(site=ids)
    for model in (dann(), ImportanceWeightedClassifier()):
        with pytest.raises(ValueError, match=r"Pass sample_domain=X\['site'\]"):
            model.fit(frame, y, "site")


@pytest.mark.parametrize("wrap", [np.asarray, pd.DataFrame, sparse.csr_matrix])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_has_its_name(toy, dann, wrap, bad):
    X, y, ids = toy
    source, target = X[ids > 0], X[ids < 0].copy()
    target[3, 1] = bad
    with pytest.raises(ValueError, match="Input X_target contains"):
        dann().fit(wrap(source), y[ids > 0], X_target=wrap(target))


@pytest.mark.parametrize("kind", ["dann", "mme"])
def test_ids_in_the_place_of_classes(toy, request, kind):
    X, y, ids = toy
    make = request.getfixturevalue(kind)
    with pytest.raises(ValueError, match=r"partial_fit\(X, y, sample_domain"):
        make().partial_fit(X, y, ids)
    known = make().partial_fit(X, y, y, sample_domain=ids).classes_
    assert known.tolist() == [0, 1, 2]
    wide = make().partial_fit(X, y, [0, 1, 2, 3], sample_domain=ids).classes_
    assert wide.tolist() == [0, 1, 2, 3]


def test_batches_of_one_row(toy, dann):
    X, y, ids = toy
    with pytest.raises(ValueError, match="batch_size=1 is too small"):
        dann(batch_size=1).fit(X, y, ids)
    dann(batch_size=1, domain_norm="shared", max_epochs=1).fit(X, y, ids)
    dann(batch_size=1, hidden_layer_sizes=(3,), max_epochs=1).fit(X, y, ids)


def test_a_score_that_falls_back_to_the_source_says_so(toy, dann):
    X, y, ids = toy
    model = dann().fit(X, y, ids)
    blank = np.where(ids < 0, -1, y)
    with pytest.warns(DomainWarning, match="No row of the target has a label"):
        score = model.score(X, blank, ids)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.score(X, blank) == score
        assert model.score(X[ids > 0], y[ids > 0], ids[ids > 0]) == score
        model.score(X, y, ids)


def test_a_word_for_no_label(toy, dann, mme):
    X, y, ids = toy
    names = np.array(["cat", "dog", "emu"])[y]
    shown = np.flatnonzero(ids < 0)[:6]
    few = np.where(ids < 0, "unlabelled", names)
    few[shown] = names[shown]
    for model in (mme(), dann(target_labels="use")):
        with pytest.warns(
            DomainWarning, match="'unlabelled', which no row of a source"
        ):
            model.fit(X, few, ids)
    none = np.where(few == "unlabelled", None, few)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mme().fit(X, none, ids).classes_.tolist() == ["cat", "dog", "emu"]
        mme().fit(X, names, ids)
        dann().fit(X, few, ids)


def test_packing_what_is_no_mapping(toy):
    X, y, _ = toy
    with pytest.raises(TypeError, match=r"source must map names .*Basel.*got tuple"):
        pack_domains((X, y))
    with pytest.raises(TypeError, match=r"target must map names .*got ndarray"):
        pack_domains({"Basel": (X, y)}, target=X)
    with pytest.raises(ValueError, match=r"'Basel' has .* \(4,\), but that of 'Bern'"):
        pack_domains({"Basel": (X, y)}, target={"Bern": X[:, :3]})


def test_searches_with_ids_of_no_target(toy, dann):
    X, y, ids = toy
    wrong = np.where(ids < 0, 1, 0)
    model = dann().fit(X, y, ids)
    calls = [
        lambda: list(DomainStratifiedKFold(2).split(X, y, sample_domain=wrong)),
        lambda: safe_cv(model, X, y, wrong, cv=2),
        lambda: safe_select(model, {"lambda_": [0.3]}, X, y, wrong),
        lambda: im_scorer(model, X, y, wrong),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"(?i)targets have ids below 0"):
            call()


def test_scores_that_are_not_known_name_the_argument(toy, dann):
    X, y, ids = toy
    with pytest.raises(ValueError, match="scoring='accuracy' is no score that does"):
        safe_select(dann(), {"lambda_": [0.3]}, X, y, ids, scoring="accuracy")
    with pytest.raises(ValueError, match="scoring='best' is neither"):
        safe_cv(dann(), X, y, ids, scoring="best")
