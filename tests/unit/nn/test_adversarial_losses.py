"""Adversarial losses: fixed points, scales, smoothing, and the classes of AC-GAN."""

import copy
import math
import pickle

import pytest
import torch

from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.nn.adversarial import (
    AuxiliaryClassifier,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    WassersteinGP,
    objective,
)
from mlmi_sklearn.specs import make_spec
from mlmi_sklearn.testing import check_component

NAMES = [part.name for part in list_components("adversarial-loss", builtin=True)]
names = pytest.mark.parametrize("name", NAMES)
F64 = torch.float64


def build(name, **params):
    return find_component("adversarial-loss", name).build(**params)


def slope(value, of):
    (found,) = torch.autograd.grad(value, of)
    return found


def test_all_names_are_here():
    expected = {"minimax", "nonsaturating", "lsgan", "hinge", "wgan-gp", "acgan"}
    assert set(NAMES) == expected


@names
def test_they_keep_the_contract(name):
    check_component("adversarial-loss", name)


@names
def test_specs_know_the_parameters(name):
    loss = build(name)
    spec = make_spec("adversarial-loss", name)
    assert {k: getattr(loss, k) for k in spec.get_params()} == spec.get_params()


@names
def test_copies_give_the_same(name):
    loss, real, fake = build(name), torch.randn(5), torch.randn(5)
    for twin in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(
            twin.discriminator(real, fake), loss.discriminator(real, fake)
        )


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@names
def test_any_shape_and_number_of_scores(name, dtype):
    loss = build(name)
    real, fake = torch.randn(3, 1, 2, 2, dtype=dtype), torch.randn(5, dtype=dtype)
    value = loss.discriminator(real, fake)
    assert value.dtype == dtype
    torch.testing.assert_close(value, loss.discriminator(real.flatten(), fake))
    torch.testing.assert_close(loss.generator(fake), loss.generator(fake[:, None]))


@names
def test_scores_of_either_sample_count_by_their_mean(name):
    loss = build(name)
    real, fake = torch.randn(4, dtype=F64), torch.randn(3, dtype=F64)
    torch.testing.assert_close(
        loss.discriminator(real.repeat(2), fake.repeat(5)),
        loss.discriminator(real, fake),
    )


@names
def test_gradients_are_those_of_finite_differences(name):
    loss = build(name)
    real = torch.randn(4, dtype=F64, requires_grad=True)
    fake = torch.randn(3, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
    assert torch.autograd.gradcheck(loss.generator, (fake,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@names
def test_extreme_scores_in_narrow_types(name, dtype):
    loss = build(name)
    size = 100.0 if dtype != torch.float32 else 1e4
    for a in (-size, size):
        for b in (-size, size):
            real = torch.full((4,), a, dtype=dtype, requires_grad=True)
            fake = torch.full((4,), b, dtype=dtype, requires_grad=True)
            total = loss.discriminator(real, fake) + loss.generator(fake)
            total.backward()
            assert total.isfinite()
            assert real.grad.isfinite().all()
            assert fake.grad.isfinite().all()


# -- what is known on paper --------------------------------------------------------


@pytest.mark.parametrize("loss", [NonSaturating(), AuxiliaryClassifier()])
def test_fixed_point_where_samples_cannot_be_told_apart(loss):
    real, fake = torch.zeros(7, dtype=F64), torch.zeros(5, dtype=F64)
    j_d, j_g = objective(real, fake)
    assert abs(j_d.item() - math.log(2)) < 1e-12
    assert abs(j_g.item() - math.log(2) / 2) < 1e-12
    assert torch.equal(loss.discriminator(real, fake), j_d)
    assert torch.equal(loss.generator(fake), j_g)


def test_equal_scores_other_than_zero_are_worse_for_the_discriminator():
    best = objective(torch.zeros(1), torch.zeros(1))[0]
    for score in (-2.0, 0.5):
        assert objective(torch.full((1,), score), torch.full((1,), score))[0] > best


def test_the_saturating_generator_stalls_and_the_other_does_not():
    fake = torch.full((1,), -30.0, requires_grad=True)
    assert slope(Minimax().generator(fake), fake).abs() < 1e-12
    assert slope(NonSaturating().generator(fake), fake).item() == pytest.approx(-0.5)


def test_minimax_is_a_zero_sum_game_but_for_the_real_samples():
    real, fake = torch.randn(6, dtype=F64), torch.randn(6, dtype=F64)
    loss = Minimax()
    of_real = 0.5 * torch.nn.functional.softplus(-real).mean()
    total = loss.discriminator(real, fake) + loss.generator(fake)
    torch.testing.assert_close(total, of_real)


def test_hinge_forgets_what_is_beyond_the_margin():
    real = torch.tensor([1.5, 0.0], requires_grad=True)
    fake = torch.tensor([-1.5, 0.0], requires_grad=True)
    Hinge().discriminator(real, fake).backward()
    assert real.grad.tolist() == [0.0, -0.5]
    assert fake.grad.tolist() == [0.0, 0.5]


def test_wasserstein_loss_does_not_see_a_common_shift():
    real, fake = torch.randn(6, dtype=F64), torch.randn(6, dtype=F64)
    loss = WassersteinGP(gradient_penalty=3)
    torch.testing.assert_close(
        loss.discriminator(real + 7, fake + 7), loss.discriminator(real, fake)
    )
    assert loss.gradient_penalty == 3.0


# -- smoothing ---------------------------------------------------------------------


@pytest.mark.parametrize("make", [NonSaturating, Minimax, AuxiliaryClassifier])
def test_smoothed_optimum_is_the_logit_of_the_target(make):
    score = torch.tensor(math.log(9.0), dtype=F64, requires_grad=True)
    fake = torch.tensor(0.0, dtype=F64)
    value = make(smoothing=0.1).discriminator(score, fake)
    assert abs(slope(value, score).item()) < 1e-12


def test_smoothed_squares_are_drawn_to_the_target():
    score = torch.tensor(0.75, requires_grad=True)
    value = LeastSquares(smoothing=0.25).discriminator(score, torch.zeros(()))
    assert slope(value, score).item() == 0


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "lsgan", "acgan"])
def test_smoothing_is_one_sided(name):
    plain, smooth = build(name), build(name, smoothing=0.2)
    fake = torch.randn(5, requires_grad=True)
    real = torch.randn(5)
    pulls = [slope(loss.discriminator(real, fake), fake) for loss in (plain, smooth)]
    assert torch.equal(*pulls)
    assert torch.equal(plain.generator(fake), smooth.generator(fake))
    assert plain.discriminator(real, fake) != smooth.discriminator(real, fake)


@pytest.mark.parametrize("name", ["minimax", "nonsaturating", "lsgan", "acgan"])
@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 1, "a", None, True])
def test_bad_smoothing(name, smoothing):
    with pytest.raises(ValueError, match=r"smoothing must be a number in \[0, 0.5\)"):
        build(name, smoothing=smoothing)


@pytest.mark.parametrize("weight", [0, -1, "a"])
def test_critic_without_penalty_is_refused(weight):
    with pytest.raises(ValueError, match=r"gradient_penalty must be a number in \(0"):
        WassersteinGP(gradient_penalty=weight)


# -- classes -----------------------------------------------------------------------


def test_only_acgan_asks_for_classes_and_only_wgan_for_a_penalty():
    asked = {name for name in NAMES if getattr(build(name), "auxiliary", False)}
    bound = {name for name in NAMES if getattr(build(name), "gradient_penalty", 0)}
    assert (asked, bound) == ({"acgan"}, {"wgan-gp"})


def test_class_loss_of_codes_and_of_probabilities():
    loss, logits = AuxiliaryClassifier(), torch.randn(6, 3, dtype=F64)
    codes = torch.tensor([0, 1, 2, 2, 1, 0])
    by_hand = -logits.log_softmax(1)[torch.arange(6), codes].mean()
    torch.testing.assert_close(loss.auxiliary_loss(logits, codes), by_hand)
    torch.testing.assert_close(loss.auxiliary_loss(logits, codes.double()), by_hand)
    one_hot = torch.nn.functional.one_hot(codes, 3)
    torch.testing.assert_close(loss.auxiliary_loss(logits, one_hot), by_hand)


def test_one_logit_stands_for_two_classes():
    loss, logit = AuxiliaryClassifier(), torch.randn(6, 1, dtype=F64)
    codes = torch.tensor([0, 1, 1, 0, 1, 0])
    pair = torch.cat([torch.zeros_like(logit), logit], 1)
    for y in (codes, codes.unsqueeze(1)):
        torch.testing.assert_close(
            loss.auxiliary_loss(logit, y), loss.auxiliary_loss(pair, codes)
        )


def test_class_loss_is_not_weighted_twice():
    logits, codes = torch.randn(6, 3), torch.zeros(6, dtype=torch.long)
    heavy = AuxiliaryClassifier(auxiliary_weight=5)
    assert heavy.auxiliary_weight == 5.0
    assert torch.equal(
        heavy.auxiliary_loss(logits, codes),
        AuxiliaryClassifier().auxiliary_loss(logits, codes),
    )


@pytest.mark.parametrize(
    ("logits", "y"), [((6,), (6,)), ((6, 3), (5,)), ((6, 3), (6, 2)), ((6, 3), (1, 3))]
)
def test_classes_of_the_wrong_shape(logits, y):
    with pytest.raises(ValueError, match=r"auxiliary_loss takes logits \(B, K\)"):
        AuxiliaryClassifier().auxiliary_loss(torch.zeros(logits), torch.zeros(y))


def test_bad_weight_of_the_class_loss():
    with pytest.raises(ValueError, match="auxiliary_weight must be a number"):
        AuxiliaryClassifier(auxiliary_weight=-1)
