"""Small parts of the estimators: what is stacked, cut, named and handed on."""

import ast
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from torch import nn

from mlmi_sklearn import (
    DANNClassifier,
    DANNRegressor,
    ImportanceWeightedClassifier,
    MMEClassifier,
    MSDATransformer,
)
from mlmi_sklearn.base.parts import Part
from mlmi_sklearn.containers.domains import Domains
from mlmi_sklearn.domain_adaptation.apart import _join_targets, stack_rows
from mlmi_sklearn.domain_adaptation.constraints import DEEP, SHALLOW
from mlmi_sklearn.domain_adaptation.cutting import (
    as_domain_rows,
    domain_names,
    known_rows,
    labelled_source_rows,
    require_known_domains,
)
from mlmi_sklearn.domain_adaptation.inputs import (
    DomainRows,
    StackedTargets,
    require_classes,
    warn_of_a_label_that_is_none,
)
from mlmi_sklearn.domain_adaptation.label_shift import _reweighted
from mlmi_sklearn.domain_adaptation.objective import (
    DomainObjective,
    MinimaxEntropy,
    Sides,
    mean_entropy,
)
from mlmi_sklearn.domain_adaptation.open_set import (
    require_unknown_label,
    unknown_label_for,
)
from mlmi_sklearn.domain_adaptation.parts import build_divergence
from mlmi_sklearn.exceptions import DomainWarning

ESTIMATORS = [
    DANNClassifier,
    DANNRegressor,
    MMEClassifier,
    ImportanceWeightedClassifier,
    MSDATransformer,
]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_defaults_are_those_of_the_documentation(cls):
    model, said = cls(), {}
    for name in model.get_params(deep=False):
        text = re.search(rf"^ *{name} : [^:]*?default=(.*)", cls.__doc__, re.MULTILINE)
        literal = re.match(r"\"[^\"]*\"|\([^)]*\)|[\w.+-]+", text[1])[0]
        said[name] = ast.literal_eval(literal.rstrip("."))
    assert said == model.get_params(deep=False)


# -- stacking


@pytest.mark.parametrize(
    ("y", "y_target", "expected", "known"),
    [
        # Markers of the kind of the labels.
        ([0, 1, 2], [-1, 1], [0, 1, 2, -1, 1], [1, 1, 1, 0, 1]),
        ([0.0, 1.5], [np.nan, 2.0], [0.0, 1.5, np.nan, 2.0], [1, 1, 0, 1]),
        # Of another kind: what stands in their place is some label.
        ([0, 1, 2], [np.nan, 1.0], [0, 1, 2, 0, 1], [1, 1, 1, 0, 1]),
        ([0, 1, 2], [None, 1], [0, 1, 2, 0, 1], [1, 1, 1, 0, 1]),
        (["a", "b"], [-1, -1], ["a", "b", "a", "a"], [1, 1, 0, 0]),
        (["a", "b"], [None, "b"], ["a", "b", "a", "b"], [1, 1, 0, 1]),
        (["a", "b"], [np.nan, np.nan], ["a", "b", "a", "a"], [1, 1, 0, 0]),
        ([1.0, 2.0], [-1, 2], [1.0, 2.0, 1.0, 2.0], [1, 1, 0, 1]),
        # A source row without a label stays one.
        ([0, 1, -1, 2], [None, 2], [0, 1, -1, 2, 0, 2], [1, 1, 0, 1, 0, 1]),
        # Numbers between the classes stay what they are.
        ([0, 1, 2], [0.5, np.nan], [0, 1, 2, 0.5, 0], [1, 1, 1, 1, 0]),
    ],
)
def test_targets_come_together_whatever_marks_the_missing(y, y_target, expected, known):
    both, found = _join_targets(np.asarray(y), np.asarray(y_target), True)
    np.testing.assert_array_equal(both, expected)
    np.testing.assert_array_equal(found, np.array(known, dtype=bool))
    whole = all(isinstance(value, int) for value in expected)
    if whole:
        assert both.dtype.kind == "i"


def test_minus_one_is_a_number_where_numbers_are_predicted():
    both, known = _join_targets(np.array([1.0, 2.0]), np.array([-1, 5]), False)
    assert both.tolist() == [1, 2, -1, 5]
    assert known.all()
    both, known = _join_targets(np.array([1, 2, 3]), np.array([-1, 5]), False)
    assert known.all()


def test_several_targets_a_row_are_joined_entry_by_entry():
    y = np.array([[0.0, 1.0], [1.0, 0.0]])
    both, known = _join_targets(y, np.array([[np.nan, 1.0]]), True)
    assert both.shape == known.shape == (3, 2)
    assert known.tolist() == [[True, True], [True, True], [False, True]]


FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})


def test_rows_are_stacked_in_a_container_like_theirs():
    found = stack_rows(FRAME, FRAME[::-1])
    assert isinstance(found, pd.DataFrame)
    assert found["a"].tolist() == [1, 2, 2, 1]
    assert found.index.tolist() == [0, 1, 2, 3]
    values = FRAME.to_numpy()
    for first, second in (
        (sparse.csc_matrix(values), values),
        (values, sparse.coo_matrix(values)),
    ):
        csr = stack_rows(first, second)
        assert csr.format == "csr"
        np.testing.assert_array_equal(csr.toarray(), np.vstack([values, values]))
    found = stack_rows(torch.tensor(values), values.tolist())
    np.testing.assert_array_equal(found, np.vstack([values, values]))
    assert type(stack_rows(FRAME, values)) is np.ndarray


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (FRAME, FRAME[["b", "a"]], r"one has columns \['a', 'b'\], but two has \['b',"),
        (np.ones((2, 3)), np.ones((2, 4)), r"one has samples of shape \(3,\), but two"),
        (np.ones((2, 3)), np.ones((2, 3, 1)), r"but two has \(3, 1\)"),
    ],
)
def test_rows_of_different_shapes_are_not_stacked(first, second, message):
    with pytest.raises(ValueError, match=message):
        stack_rows(first, second, ("one", "two"))


@pytest.mark.parametrize("ids", [[1, 1, -1], [0, 1, 0], ["a", "b", "a"]])
def test_ids_in_the_place_of_classes_are_seen(ids):
    y = [0, 1, 2]
    with pytest.raises(ValueError, match=r"classes has 3 entries.*sample_domain=\.\."):
        require_classes(ids, y)
    for classes in (None, 3, [0, 1, 2], [2, 1, 0], ids[:2], [ids], [5, 6, 7]):
        require_classes(classes, y)
    require_classes([0, 0, 1], [1, 0, 1])  # the labels themselves


@pytest.mark.parametrize(
    ("shown", "warned"),
    [
        (["new", "new", "new", "a"], True),
        (["new", "new", "a", "b"], False),  # no more than half
        (["a", "a", "a", "a"], False),  # the source has it
        ([], False),
    ],
)
@pytest.mark.parametrize("dtype", [object, str])
def test_a_word_that_most_labels_of_the_target_are_is_no_label(shown, warned, dtype):
    y = np.array(["a", "b", *shown, "hidden", "hidden", "hidden"], dtype=dtype)
    is_target = np.arange(len(y)) >= 2
    hidden = y == "hidden"
    targets = StackedTargets(y, hidden)
    if not warned:
        warn_of_a_label_that_is_none(targets, is_target)
        return
    with pytest.warns(DomainWarning, match="3 of 4 labelled rows .* label 'new', whi"):
        warn_of_a_label_that_is_none(targets, is_target)


def test_numbers_and_several_columns_are_never_taken_for_words():
    is_target = np.array([False, True, True])
    hidden = np.zeros(3, bool)
    warn_of_a_label_that_is_none(StackedTargets([0, 9, 9], hidden), is_target)
    two = np.array([["a", "b"], ["x", "x"], ["x", "x"]])
    warn_of_a_label_that_is_none(StackedTargets(two, hidden), is_target)


# -- cutting


def rows_of(ids, values=None):
    ids = np.asarray(ids)
    values = np.zeros((len(ids), 2)) if values is None else values
    return DomainRows(values, Domains(ids, ids < 0))


def test_rows_know_their_domains():
    rows = rows_of([3, -1, 3], np.arange(6, dtype=np.float32).reshape(3, 2))
    assert (len(rows), rows.shape, rows.dtype) == (3, (3, 2), np.float32)
    assert rows.is_target.tolist() == [False, True, False]
    some = rows[np.array([1, 0])]
    assert some.values.tolist() == [[2, 3], [0, 1]]
    assert some.is_target.tolist() == [True, False]
    plain = as_domain_rows(np.zeros((2, 1)))
    assert plain.domains is None
    assert plain.is_target.tolist() == [False, False]
    assert plain[np.array([0])].domains is None
    assert as_domain_rows(rows) is rows


@pytest.mark.parametrize(
    ("ids", "known", "expected"),
    [
        ([3, -1, 0], None, [3, 0, -1]),
        ([3, -1, 0], [], [3, 0, -1]),
        ([3, -1, 0], [-1, 3], [-1, 3, 0]),
        ([3, -1], [0, -1, 3], [0, -1, 3]),
        ([7, -5], [3, -1], [3, -1, 7, -5]),
    ],
)
def test_domains_that_are_known_keep_their_places(ids, known, expected):
    known = None if known is None else np.array(known)
    assert domain_names(rows_of(ids), known).tolist() == expected


def test_plain_rows_have_no_names_of_domains():
    plain = as_domain_rows(np.zeros((2, 1)))
    assert domain_names(plain, None).size == 0
    assert domain_names(plain, np.array([1, -1])).tolist() == [1, -1]


def test_a_critic_of_several_domains_is_asked_for_no_more():
    names = np.array([5, 6, -7, -8])
    for n_domains in (2, 4, 5):  # a critic of two knows sides, not domains
        require_known_domains(names, n_domains)
    with pytest.raises(ValueError, match=r"new domains \[-8\].* knows \[5, 6, -7\]"):
        require_known_domains(names, 3)


def test_rows_with_a_target_are_known():
    assert known_rows(np.array([0, -1, 2])).tolist() == [True, False, True]
    y = np.array([[0.0, 1.0], [np.nan, np.nan]])
    assert known_rows(y).tolist() == [True, False]
    y = np.array([[0.0, np.nan], [np.nan, np.nan], [np.nan, 1.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="y has 2 rows of which only some"):
        known_rows(y)


def test_labelled_rows_of_a_source_are_numbered():
    known = np.array([True, False, True, True])
    is_target = np.array([False, False, True, False])
    assert labelled_source_rows(known, is_target).tolist() == [0, 3]
    told = "No row of a source has a target that is known"
    with pytest.raises(ValueError, match=told):
        labelled_source_rows(known, ~np.array([False, True, False, False]))


# -- weights of classes


@pytest.mark.parametrize("given", [None, [2.0, 1.0, 1.0, 4.0, 3.0, 5.0]])
def test_reweighted_source_rows_have_the_shares_of_the_target(given):
    labels = np.array(["b", "a", "b", "c"])
    seen, shares = np.array([0, 2, 3, 5]), np.array([0.2, 0.5, 0.3])
    weight = None if given is None else np.array(given)
    found = _reweighted(seen, labels, weight, shares, 6)
    before = np.ones(6) if given is None else np.array(given)
    rest = np.array([1, 4])
    np.testing.assert_array_equal(found[rest], before[rest])
    sums = [found[seen][labels == name].sum() for name in "abc"]
    np.testing.assert_allclose(np.array(sums) / sum(sums), shares)
    # All together they weigh what they did, and rows of a class keep their ratios.
    assert sum(sums) == pytest.approx(before[seen].sum())
    ratios = found[seen] / before[seen]
    assert ratios[0] == pytest.approx(ratios[2])
    if weight is not None:
        assert weight.tolist() == given  # not changed in place


def test_a_class_that_the_target_seems_not_to_have_keeps_a_thousandth():
    labels, seen = np.array([0, 1, 1]), np.arange(3)
    found = _reweighted(seen, labels, None, np.array([1.0, 0.0]), 3)
    assert found.tolist() == pytest.approx([3.0, 3e-3, 3e-3])


# -- other classes


@pytest.mark.parametrize(
    ("classes", "label", "kind"),
    [([0, 1], "other", "number"), ([0.5, 1], "x", "number"), (["a"], 3, "string"),
     ([True, False], "x", "number")],
)  # fmt: skip
def test_a_label_of_another_type_is_refused_by_name(classes, label, kind):
    with pytest.raises(ValueError, match=rf"unknown_label={label!r}.*Pass a {kind}\."):
        require_unknown_label(label, np.array(classes))


def test_labels_of_rejected_rows():
    for classes, expected in (([0, 1], -1), ([0.5], -1), ([True], -1), (["a"], "unkn")):
        found = unknown_label_for("auto", np.array(classes))
        assert found == expected or found.startswith(expected)
    assert unknown_label_for("none", np.array(["a"])) == "none"
    assert unknown_label_for(7, np.array([1])) == 7
    require_unknown_label("auto", np.array([0, 1]))
    with pytest.raises(
        ValueError, match=r"unknown_label=-1 is one of the classes \[-1"
    ):
        require_unknown_label("auto", np.array([-1, 1]))


# -- terms


def entropies(raw):
    p = torch.softmax(raw, 1)
    return -(p * p.log()).sum(1)


def test_entropy_of_the_target_is_a_weighted_mean():
    raw = torch.tensor([[2.0, 0.0, -1.0], [0.3, 0.2, 0.1]], dtype=torch.float64)
    h = entropies(raw)
    assert float(mean_entropy(raw, None)) == pytest.approx(float(h.mean()))
    weight = torch.tensor([1.0, 3.0], dtype=torch.float64)
    expected = float((h * weight).sum() / 4)
    assert float(mean_entropy(raw, weight)) == pytest.approx(expected)
    two = torch.cat([raw[:, :1], torch.zeros(2, 1)], 1)
    one = mean_entropy(raw[:, :1], None)
    assert float(one) == pytest.approx(float(entropies(two).mean()))


class Gap(nn.Module):
    """Difference of means, with or without a critic."""

    def __init__(self, adversarial):
        super().__init__()
        self.adversarial = adversarial
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, zs, zt, shift=0.0):
        return self.scale * (zs.mean() - zt.mean() + shift)


@pytest.mark.parametrize("schedule", ["constant", "ganin", lambda p: p])
@pytest.mark.parametrize("entropy", [0.0, 0.25])
@pytest.mark.parametrize(
    ("adversarial", "rate"), [(False, "full"), (True, "full"), (True, "lambda")]
)
def test_terms_of_the_objective(adversarial, rate, entropy, schedule):
    """Values, and gradients of features and critic, from the formulas."""
    objective = DomainObjective(0.5, schedule, 6.0, rate, entropy)
    factors = {"constant": 1.0, "ganin": 2 / (1 + np.exp(-6.0 * 0.4)) - 1}
    factor = 0.5 * (0.4 if callable(schedule) else factors[schedule])
    assert objective.factor(0.4) == pytest.approx(factor)
    module = SimpleNamespace(divergence=Gap(adversarial))
    zs, zt = torch.ones(2, 1, requires_grad=True), torch.zeros(4, 1, requires_grad=True)
    raw = torch.tensor([[1.0, 0.0], [0.0, 2.0]], requires_grad=True)
    weight = torch.tensor([1.0, 2.0])
    sides = Sides(zs, zt, raw, raw, {"shift": 3.0}, weight)
    value, total = objective.terms(module, sides, 0.4)
    assert float(value) == 2.0 * (1 - 0 + 3)
    assert not value.requires_grad
    own = 1.0 if adversarial and rate == "full" else factor
    expected = own * 8 + entropy * float(mean_entropy(raw.detach(), weight))
    assert float(total.detach()) == pytest.approx(expected)
    total.backward()
    sign = -1 if adversarial else 1
    np.testing.assert_allclose(zs.grad, np.full((2, 1), sign * factor * 2 / 2), 1e-6)
    np.testing.assert_allclose(zt.grad, np.full((4, 1), -sign * factor * 2 / 4), 1e-6)
    assert float(module.divergence.scale.grad) == pytest.approx(own * 4)


def test_without_a_divergence_the_entropy_is_left():
    raw = torch.tensor([[1.0, 0.0]])
    sides = Sides(torch.ones(1, 1), torch.ones(1, 1), raw, raw, {})
    value, total = DomainObjective(0.0, entropy=0.5).terms(None, sides, 1.0)
    assert float(value) == 0
    assert float(total) == pytest.approx(0.5 * float(entropies(raw)))


@pytest.mark.parametrize(
    ("lambda_", "entropy", "idle", "looks"),
    [(0, 0, True, True), (0, 0.1, False, True), (0.3, 0, False, False),
     (0.3, 0.1, False, True)],
)  # fmt: skip
def test_what_an_objective_needs(lambda_, entropy, idle, looks):
    objective = DomainObjective(lambda_, entropy=entropy)
    assert objective.is_idle is idle
    assert objective.looks_at_scores is looks
    assert MinimaxEntropy(lambda_).looks_at_scores is False
    assert MinimaxEntropy(lambda_).is_idle is (lambda_ == 0)


def test_defaults_of_the_objective():
    said = DomainObjective(0.3, "ganin", 10.0, "full", 0.0)
    assert DomainObjective() == said
    assert (DEEP.lr, DEEP.batch_size, DEEP.max_epochs) == (0.03, 64, 100)
    assert (SHALLOW.lr, SHALLOW.batch_size, SHALLOW.max_epochs) == (1.0, 16, 100)


# -- divergences


def part(source, **params):
    return Part("divergence", source, params)


def critic_sizes(divergence):
    return [layer.out_features for layer in divergence.critic if hasattr(layer, "bias")]


def test_a_divergence_is_offered_what_it_takes():
    offered = {"hidden": [7], "n_classes": 3, "n_domains": 4}
    assert critic_sizes(build_divergence(part("dann"), 2, **offered)) == [7, 4]
    assert critic_sizes(build_divergence(part("cdan"), 2, **offered)) == [7, 4]
    assert critic_sizes(build_divergence(part("mdd"), 2, **offered)) == [7, 3]
    assert build_divergence(part("mmd"), 2, **offered).n_kernels == 5
    # What the user sets stays, and None is not set.
    found = build_divergence(part("dann", hidden=(5, 5), n_domains=None), 2, **offered)
    assert critic_sizes(found) == [5, 5, 4]
    assert critic_sizes(build_divergence(part("dann"), 2)) == [100, 1]
    assert critic_sizes(build_divergence(part("dann"), 2, hidden=())) == [1]


def test_a_callable_is_offered_the_parameters_that_it_names():
    seen = []

    def make(in_features, n_classes=None):
        seen.append((in_features, n_classes))
        return Gap(True)

    build_divergence(part(make), 6, hidden=(3,), n_classes=2)
    assert seen == [(6, 2)]
    module = Gap(False)
    assert isinstance(build_divergence(part(module), 6, n_classes=2), Gap)


class Silent(nn.Module):
    adversarial = True

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, zs, zt):
        if self.value == "fail":
            raise RuntimeError("mat1 and mat2")
        return self.value


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (lambda in_features: 3, TypeError, "divergence built a int, not an nn.Module"),
        (nn.ReLU(), TypeError, "divergence=ReLU has no attribute adversarial"),
        (
            Silent("fail"),
            ValueError,
            "divergence=Silent cannot compare features of wid",
        ),
        (Silent(torch.ones(3)), ValueError, r"Silent must return a scalar, got \(3,\)"),
        (Silent(1.0), ValueError, "divergence=Silent must return a scalar, got float"),
    ],
)
def test_what_is_no_divergence_is_refused(source, kind, message):
    with pytest.raises(kind, match=message):
        build_divergence(part(source), 4, n_classes=2)


@pytest.mark.parametrize("name", ["cdan", "mdd"])
def test_divergences_of_classes_are_refused_without_any(name):
    with pytest.raises(ValueError, match=f"divergence='{name}' compares predicted cl"):
        build_divergence(part(name), 4)
