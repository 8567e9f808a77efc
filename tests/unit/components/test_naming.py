"""Kinds, names and close matches."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmi_sklearn.components import KINDS, did_you_mean, suggest
from mlmi_sklearn.components.naming import canonical_dist, check_kind, check_name
from mlmi_sklearn.exceptions import ComponentNotFoundError

words = st.text(string.ascii_lowercase + string.digits + "._-", min_size=1)


def test_the_kinds():
    assert KINDS == (
        "backbone",
        "loss",
        "pooling",
        "divergence",
        "adversarial-loss",
        "augmentation",
        "generator",
        "meta-method",
        "slide-reader",
        "estimator",
    )


@pytest.mark.parametrize(
    "spelling", ["adversarial-loss", "adversarial_loss", "Adversarial Loss "]
)
def test_kinds_are_read_leniently(spelling):
    assert check_kind(spelling) == "adversarial-loss"


def test_unknown_kind_names_the_argument_and_the_kinds():
    with pytest.raises(ComponentNotFoundError) as caught:
        check_kind("backbones")
    text = str(caught.value)
    assert "kind='backbones'" in text
    assert "Did you mean 'backbone'?" in text
    assert all(kind in text for kind in KINDS)


def test_kind_must_be_a_string():
    with pytest.raises(TypeError, match="kind must be a str, got int: 3"):
        check_kind(3)


@pytest.mark.parametrize("name", ["mlp", "smooth-l1", "a", "r2d2", "x.y_z-1", "3d"])
def test_names_of_parts(name):
    assert check_name("backbone", name) == name


@pytest.mark.parametrize(
    "name", ["", "MLP", "-a", "a-", "a b", "a:b", "é", "a\n", "_a", ".a", "a/b", "auto"]
)
def test_names_that_no_part_can_have(name):
    with pytest.raises(ValueError, match="backbone name"):
        check_name("backbone", name)


@pytest.mark.parametrize("name", ["MILClassifier", "X", "Net_2"])
def test_names_of_estimators(name):
    assert check_name("estimator", name) == name


@pytest.mark.parametrize("name", ["", "2Net", "mil-classifier", "a:b", "A B"])
def test_names_that_no_estimator_can_have(name):
    with pytest.raises(ValueError, match="must be a class name"):
        check_name("estimator", name)


@pytest.mark.parametrize("name", [None, 3, b"mlp", ("mlp",)])
def test_names_must_be_strings(name):
    with pytest.raises(TypeError, match="must be a str"):
        check_name("loss", name)


def test_canonical_dist_follows_pep_503():
    assert canonical_dist("My__Plug.-in") == "my-plug-in"


@pytest.mark.parametrize(
    ("word", "best"),
    [
        ("mpl", "mlp"),
        ("cross_entropy", "cross-entropy"),
        ("CrossEntropy", "cross-entropy"),
        ("resnet18", "resnet"),
    ],
)
def test_suggest_finds_the_near_one(word, best):
    assert suggest(word, ["mlp", "conv", "cross-entropy", "resnet"])[0] == best


def test_suggest_gives_at_most_n_and_no_doubles():
    assert suggest("conv", ["conv3", "conv4", "conv4", "conv5", "conv6"], n=2) == [
        "conv3",
        "conv4",
    ]


def test_did_you_mean_is_empty_without_a_match():
    assert did_you_mean("xyz", ["mlp"]) == ""
    assert did_you_mean("conv", ["conv3", "conv4"]) == (
        " Did you mean 'conv3' or 'conv4'?"
    )


@given(word=words, options=st.lists(words, max_size=6))
@settings(deadline=None, max_examples=50)
def test_suggestions_are_options_and_an_exact_match_comes_first(word, options):
    found = suggest(word, options)
    assert set(found) <= set(options)
    assert len(found) == len(set(found)) <= 3
    assert suggest(word, [*options, word])[0].replace("_", "-") == (
        word.replace("_", "-")
    )
