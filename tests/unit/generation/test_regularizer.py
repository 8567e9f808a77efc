"""Outputs are pulled to a reference, by a critic that minds its own business."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from skorch import NeuralNetRegressor
from torch import nn

from mlmi_sklearn import NetClassifier, NetRegressor
from mlmi_sklearn.generation.regularizer import AdversarialRegularizer, RegularizedLoss
from mlmi_sklearn.nn.divergences.critics import Critic
from mlmi_sklearn.specs import make_spec

DIVERGENCES = ["js", "ls", "wasserstein", "mmd"]
ADVERSARIAL = DIVERGENCES[:3]
divergences = pytest.mark.parametrize("divergence", DIVERGENCES)
adversarial = pytest.mark.parametrize("divergence", ADVERSARIAL)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def draws(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def reference(n=1000):
    """Correlated normal numbers, far from zero and of a scale of their own."""
    mixing = torch.tensor([[1.0, 0.8], [0.0, 0.6]])
    return 3 * draws(n, 2) @ mixing + torch.tensor([5.0, -2.0])


def energy_distance(a, b):
    within = torch.cdist(a, a).mean() + torch.cdist(b, b).mean()
    return (2 * torch.cdist(a, b).mean() - within).item()


def train(regularizer, net, steps, width=2, lr=2e-3, batch=96):
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        regularizer(net(torch.randn(batch, width))).backward()
        optimizer.step()
    return net


def small_net():
    return nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))


def state_of(module):
    return {k: v.clone() for k, v in module.state_dict().items() if torch.is_tensor(v)}


# -- what it is for ----------------------------------------------------------------


@divergences
def test_outputs_become_like_the_reference(divergence):
    samples, net = reference(), small_net()
    z = torch.randn(1000, 2)
    before = energy_distance(net(z), samples)
    regularizer = AdversarialRegularizer(samples, divergence, random_state=0)
    train(regularizer, net, 300)
    found = net(z).detach()
    assert energy_distance(found, samples) < 0.03 * before
    assert (found.mean(0) - samples.mean(0)).abs().max() < 0.8
    ratio = found.std(0) / samples.std(0)
    assert 0.7 < ratio.min() <= ratio.max() < 1.3
    assert torch.corrcoef(found.T)[0, 1] > 0.5  # 0.8 in the reference


@divergences
def test_outputs_of_images_become_like_the_reference(divergence):
    """Fields of one level each: smoothness, which no pixel by itself can show."""
    samples = draws(400, 1, 1, 1).expand(400, 2, 8, 8) + 0.05 * draws(400, 2, 8, 8)
    net = nn.Sequential(nn.Linear(4, 128), nn.Unflatten(1, (2, 8, 8)))
    regularizer = AdversarialRegularizer(samples, divergence, lr=3e-3, random_state=0)

    def roughness():
        y = net(draws(200, 4, seed=5)).detach()
        return (y.diff(dim=2).square().mean() / y.var()).item()

    before = roughness()
    train(regularizer, net, 150, width=4, lr=1e-2, batch=32)
    assert roughness() < 0.5 * before


def test_a_task_and_a_wish_at_once():
    """The sign of a square root cannot be learnt from its square; the wish tells it."""
    x = torch.linspace(0.2, 2, 128).unsqueeze(1)
    positive = 0.2 + 1.8 * torch.rand(500, 1)
    roots = {}
    for weight in (0.0, 5.0):
        torch.manual_seed(3)
        net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
        net[2].bias.data.fill_(-1.0)
        regularizer = AdversarialRegularizer(
            positive, weight=weight, lr=1e-2, random_state=0
        )
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        for _ in range(150):
            optimizer.zero_grad()
            root = net(x)
            loss = (root.square() - x.square()).square().mean() + regularizer(root)
            loss.backward()
            optimizer.step()
        roots[weight] = net(x).mean().item()
    assert roots[0.0] < -0.5
    assert roots[5.0] > 0.5


# -- nothing else is touched -------------------------------------------------------


@divergences
def test_weight_zero_changes_nothing_bit_for_bit(divergence):
    results = []
    for regularizer in (
        None,
        AdversarialRegularizer(reference(), divergence, weight=0.0, random_state=0),
    ):
        torch.manual_seed(1)
        net = small_net()
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        before = None if regularizer is None else state_of(regularizer)
        for _ in range(5):
            optimizer.zero_grad()
            output = net(torch.randn(16, 2))
            loss = output.square().mean()
            loss = loss if regularizer is None else loss + regularizer(output)
            loss.backward()
            optimizer.step()
        results.append([p.detach().clone() for p in net.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    after = state_of(regularizer)
    assert all(torch.equal(before[k], after[k]) for k in before)


@divergences
def test_the_global_generator_is_left_alone(divergence):
    before = torch.get_rng_state()
    regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
    regularizer(draws(16, 2))
    assert torch.equal(before, torch.get_rng_state())


def test_a_critic_with_dropout_has_numbers_of_its_own():
    critic = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.5))
    values = []
    for _ in range(2):
        regularizer = AdversarialRegularizer(reference(), critic=critic, random_state=0)
        before = torch.get_rng_state()
        values.append([regularizer(draws(16, 2)).item() for _ in range(3)])
        assert torch.equal(before, torch.get_rng_state())
        torch.rand(3)
    assert values[0] == values[1]
    assert len(set(values[0])) == 3


def test_a_module_of_the_user_is_not_trained_in_place():
    critic = nn.Sequential(nn.Linear(2, 16), nn.ReLU())
    before = state_of(critic)
    regularizer = AdversarialRegularizer(reference(), critic=critic, random_state=0)
    for _ in range(3):
        regularizer(draws(16, 2))
    assert all(torch.equal(before[k], v) for k, v in critic.state_dict().items())
    assert all(p.requires_grad for p in critic.parameters())


def test_frozen_weights_of_a_critic_stay_frozen():
    critic = nn.Sequential(nn.Linear(2, 16), nn.ReLU())
    critic[0].requires_grad_(False)
    regularizer = AdversarialRegularizer(reference(), critic=critic, random_state=0)
    for _ in range(3):
        regularizer(draws(16, 2))
    backbone, head = regularizer.opponent.critic
    assert torch.equal(backbone[0].weight, critic[0].weight)
    assert head.weight.grad is None


@adversarial
def test_an_optimiser_of_everything_does_not_move_the_critic(divergence):
    net = small_net()
    regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
    everything = [*net.parameters(), *regularizer.parameters()]
    optimizer = torch.optim.AdamW(everything, lr=0.1, weight_decay=0.5)
    for _ in range(3):
        optimizer.zero_grad(set_to_none=False)
        value = regularizer(net(draws(16, 2)))
        own = state_of(regularizer)
        value.backward()
        optimizer.step()
        assert all(torch.equal(own[k], v) for k, v in state_of(regularizer).items())
        assert all(p.grad is None for p in regularizer.parameters())


@adversarial
def test_the_critic_learns_in_training_mode_only(divergence):
    regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
    own = state_of(regularizer)

    def moved():
        return any(not torch.equal(own[k], v) for k, v in state_of(regularizer).items())

    y = draws(16, 2)
    regularizer.eval()
    assert regularizer(y) == regularizer(y)
    regularizer.train()
    with torch.no_grad():
        regularizer(y)
    with torch.inference_mode():
        regularizer(y)
    assert regularizer.critic_loss_ is None
    assert not moved()
    regularizer(y)
    assert moved()
    assert regularizer.critic_loss_.isfinite()


@divergences
def test_validation_in_between_does_not_change_training(divergence):
    values = []
    for validate in (False, True):
        regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
        for step in range(4):
            values.append(regularizer(draws(16, 2, seed=step)).item())
            if validate:
                regularizer.eval()
                regularizer(draws(32, 2, seed=99))
                regularizer.train()
    assert values[:4] == values[4:]


# -- reproducible, saved, moved ----------------------------------------------------


@divergences
def test_random_state_decides(divergence):
    def values(seed):
        regularizer = AdversarialRegularizer(reference(), divergence, random_state=seed)
        return [regularizer(draws(16, 2)).item() for _ in range(3)]

    assert values(0) == values(0)
    assert values(0) == values(np.random.RandomState(0))
    assert values(0) != values(1)


@divergences
@pytest.mark.parametrize("how", ["deepcopy", "pickle", "state_dict", "file"])
def test_copies_go_on_where_it_was(divergence, how):
    regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
    for step in range(3):
        regularizer(draws(16, 2, seed=step))
    if how == "deepcopy":
        twin = copy.deepcopy(regularizer)
    elif how == "pickle":
        twin = pickle.loads(pickle.dumps(regularizer))
    else:
        twin = AdversarialRegularizer(reference(), divergence, random_state=7)
        state = regularizer.state_dict()
        if how == "file":
            file = io.BytesIO()
            torch.save(state, file)
            file.seek(0)
            state = torch.load(file, weights_only=True)
        twin.load_state_dict(copy.deepcopy(state))
    for step in range(3):
        y = draws(16, 2, seed=10 + step)
        assert torch.equal(twin(y), regularizer(y))


@divergences
def test_it_follows_the_outputs_to_another_type_and_back(divergence):
    regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
    y = draws(16, 2).requires_grad_()
    for dtype in (torch.float32, torch.float64, torch.float32, torch.bfloat16):
        value = regularizer(y.to(dtype))
        assert value.dtype == (torch.float32 if dtype == torch.bfloat16 else dtype)
        value.backward()
    assert y.grad.isfinite().all()


@divergences
def test_autocast_does_not_reach_inside(divergence):
    y, values = draws(16, 2), []
    for enabled in (False, True):
        regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            values.append(regularizer(y))
    assert torch.equal(*values)


@pytest.mark.gpu
@divergences
def test_on_an_accelerator(divergence):
    if not torch.cuda.is_available():
        pytest.skip("no accelerator here")
    regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
    regularizer(draws(16, 2))
    net = small_net().cuda()
    value = regularizer(net(draws(16, 2).cuda()))
    value.backward()
    assert value.device.type == "cuda"
    assert net[0].weight.grad.isfinite().all()
    assert regularizer(draws(16, 2)).device.type == "cpu"


# -- values and shapes -------------------------------------------------------------


@divergences
@pytest.mark.parametrize(
    "shape",
    [(), (1,), (5,), (4, 3), (1, 9, 6), (2, 8, 8), (1, 3, 5, 7), (2, 1, 2, 1, 2)],
)
def test_samples_of_any_shape(divergence, shape):
    regularizer = AdversarialRegularizer(draws(20, *shape), divergence, random_state=0)
    for n in (1, 6):
        y = draws(n, *shape, seed=2).requires_grad_()
        value = regularizer(y)
        value.backward()
        assert value.shape == ()
        assert value.isfinite()
        assert y.grad.isfinite().all()
        # A single row has no kernel with another of its kind, but with the reference.
        assert y.grad.abs().sum() > 0


@divergences
def test_further_off_costs_more(divergence):
    samples = reference()
    values = []
    for shift in (0.0, 20.0):
        regularizer = AdversarialRegularizer(
            samples, divergence, lr=1e-2, random_state=0
        )
        y = samples[:200] + shift
        values.append([regularizer(y).item() for _ in range(30)][-1])
    assert values[1] > values[0] + 0.1


def test_values_where_nothing_can_be_told_apart():
    samples = reference()
    for divergence, best, of_critic in (
        ("js", np.log(2) / 2, np.log(2)),
        ("ls", 1 / 8, 1 / 4),
    ):
        regularizer = AdversarialRegularizer(samples, divergence, random_state=0)
        values = [regularizer(samples).item() for _ in range(200)]
        assert np.mean(values[-20:]) == pytest.approx(best, abs=0.02)
        assert regularizer.critic_loss_.item() == pytest.approx(of_critic, abs=0.03)


def test_the_wasserstein_value_is_a_distance():
    """Scaled by the reference, a shift by two deviations is a distance of two."""
    samples = draws(500, 1)
    regularizer = AdversarialRegularizer(
        samples, "wasserstein", lr=1e-2, penalty=10, random_state=0
    )
    shifted = samples + 2 * samples.std()
    values = [regularizer(shifted).item() for _ in range(150)]
    assert np.mean(values[-20:]) == pytest.approx(2, abs=0.3)


@divergences
def test_the_weight_is_a_factor(divergence):
    y = draws(16, 2)
    one, five = (
        AdversarialRegularizer(reference(), divergence, weight=w, random_state=0)(y)
        for w in (1, 5)
    )
    torch.testing.assert_close(five, 5 * one)


def test_scale_of_the_reference_does_not_matter():
    samples, y = reference(), draws(16, 2)
    units = torch.tensor([1000.0, 1e-3])
    values = [
        AdversarialRegularizer(s, random_state=0)(x)
        for s, x in ((samples, y), (samples * 7 + 3, y * 7 + 3))
    ]
    torch.testing.assert_close(*values, rtol=1e-3, atol=1e-3)
    # One unit much larger than the other: still finite, and the large one decides.
    assert AdversarialRegularizer(samples * units)(y * units).isfinite()


def test_a_constant_reference():
    for divergence in DIVERGENCES:
        y = draws(8, 3).requires_grad_()
        value = AdversarialRegularizer(torch.ones(5, 3), divergence)(y)
        value.backward()
        assert value.isfinite()
        assert y.grad.isfinite().all()


# -- critics -----------------------------------------------------------------------


def critic_of(samples, critic):
    return AdversarialRegularizer(
        samples, critic=critic, random_state=0
    ).opponent.critic


def test_critics_by_shape():
    assert isinstance(critic_of(draws(9, 4), "auto"), Critic)
    assert len(critic_of(draws(9, 4), ())) == 1
    assert critic_of(draws(9, 4), 7)[0].out_features == 7
    backbone, head = critic_of(draws(9, 1, 8, 8), "auto")
    assert type(backbone).__name__ == "StridedConv"
    assert head.out_features == 1
    assert critic_of(draws(9, 1, 8, 8), (5,))[1][0].in_features == 64


@pytest.mark.parametrize(
    "critic",
    [
        "mlp",
        make_spec("backbone", "mlp", hidden=(8,)),
        lambda shape: nn.Linear(*shape, 3),
    ],
    ids=["name", "spec", "callable"],
)
def test_critics_as_backbones_are_given(critic):
    regularizer = AdversarialRegularizer(reference(), critic=critic, random_state=0)
    assert regularizer(draws(8, 2)).isfinite()


def test_several_steps_of_the_critic():
    once, thrice = (
        AdversarialRegularizer(reference(), n_critic=n, random_state=0) for n in (1, 3)
    )
    for regularizer in (once, thrice):
        for _ in range(4):
            regularizer(draws(64, 2))
    assert thrice.critic_loss_ < once.critic_loss_


# -- in other people's loops -------------------------------------------------------


class Wishful(NeuralNetRegressor):
    """A skorch net with the regulariser as a further term."""

    def __init__(self, *args, regularizer=None, **kwargs):
        self.regularizer = regularizer
        super().__init__(*args, **kwargs)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        self.regularizer.train(training)
        loss = super().get_loss(y_pred, y_true, X, training)
        return loss + self.regularizer(y_pred)


X = draws(256, 3).numpy()
Y = 0.1 * draws(256, 1, seed=1).numpy()  # next to no signal, and no spread


def spread_of_predictions(net):
    return float(np.std(net.fit(X, Y).predict(X)))


def test_in_a_skorch_net():
    def net(weight):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1))
        wide = AdversarialRegularizer(3 * draws(500, 1), weight=weight, random_state=0)
        options = {"max_epochs": 40, "lr": 0.02, "optimizer": torch.optim.Adam}
        return Wishful(module, regularizer=wide, verbose=0, **options)

    assert spread_of_predictions(net(30.0)) > 5 * spread_of_predictions(net(0.0))


def test_as_the_criterion_of_a_skorch_net():
    """skorch gives the weights of criteria to its optimiser, too."""
    regularizer = AdversarialRegularizer(3 * draws(500, 1), weight=30, random_state=0)
    net = NeuralNetRegressor(
        nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 1)),
        criterion=RegularizedLoss(nn.MSELoss(), regularizer),
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=0.1,
        lr=0.02,
        max_epochs=40,
        verbose=0,
    )
    assert spread_of_predictions(net) > 5 * np.std(Y)


def test_in_an_estimator():
    def net(weight):
        wide = AdversarialRegularizer(3 * draws(500, 1), weight=weight, random_state=0)
        loss = RegularizedLoss("mse", wide)
        return NetRegressor(loss=loss, lr=0.01, max_epochs=40, random_state=0), loss

    (plain, _), (wishful, loss) = net(0.0), net(30.0)
    same = NetRegressor(lr=0.01, max_epochs=40, random_state=0).fit(X, Y[:, 0])
    assert np.array_equal(plain.fit(X, Y[:, 0]).predict(X), same.predict(X))
    before = state_of(loss)
    assert wishful.fit(X, Y[:, 0]).predict(X).std() > 2 * same.predict(X).std()
    assert all(torch.equal(before[k], v) for k, v in state_of(loss).items())
    twin = pickle.loads(pickle.dumps(wishful))
    assert np.array_equal(twin.predict(X), wishful.predict(X))
    again = net(30.0)[0].fit(X, Y[:, 0])
    assert np.array_equal(again.predict(X), wishful.predict(X))


def test_in_a_classifier():
    sure = torch.tensor([[6.0, 0.0, 0.0], [0.0, 6.0, 0.0], [0.0, 0.0, 6.0]]).repeat(
        50, 1
    )
    regularizer = AdversarialRegularizer(sure, random_state=0)
    loss = RegularizedLoss(make_spec("loss", "cross-entropy"), regularizer)
    assert loss.link == "softmax"
    y = np.arange(256) % 3
    net = NetClassifier(loss=loss, max_epochs=3, random_state=0).fit(X, y)
    np.testing.assert_allclose(net.predict_proba(X).sum(1), 1, rtol=1e-5)


def test_the_term_is_added_once_whatever_the_weights_of_rows():
    raw, target = draws(6, 1), draws(6, seed=3)
    loss = RegularizedLoss("mse", lambda raw: raw.sum())
    plain = loss.loss(raw, target)
    weight = torch.rand(6)
    found = (weight * loss(raw, target)).sum() / weight.sum()
    expected = (weight * plain).sum() / weight.sum() + raw.sum()
    torch.testing.assert_close(found, expected)


# -- mistakes ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "options", "words"),
    [
        (torch.zeros(0, 2), {}, "reference must hold at least one sample"),
        (torch.tensor(1.0), {}, "reference must hold at least one sample"),
        (torch.tensor([[np.nan]]), {}, "reference must be finite"),
        (torch.zeros(2, 2, dtype=torch.complex64), {}, "must hold real numbers"),
        (torch.zeros(2, 2), {"divergence": "jss"}, "Did you mean 'js'"),
        (torch.zeros(2, 2), {"weight": -1}, "weight must be a number"),
        (torch.zeros(2, 2), {"n_critic": 0}, "n_critic must be an integer"),
        (torch.zeros(2, 2), {"lr": 0}, r"lr must be a number in \(0"),
        (torch.zeros(2, 2), {"penalty": -1}, "penalty must be a number"),
        (torch.zeros(2, 2), {"critic": "mpl"}, "Did you mean 'mlp'"),
        (torch.zeros(2, 2), {"critic": (0,)}, "every entry of hidden"),
        (torch.zeros(2, 2), {"critic": "conv"}, "conv"),
        (torch.zeros(2, 2), {"divergence": "mmd", "critic": 3}, "has no critic"),
    ],
)
def test_bad_parameters(samples, options, words):
    with pytest.raises(ValueError, match=words):
        AdversarialRegularizer(samples, **options)


@divergences
@pytest.mark.parametrize("shape", [(4, 3), (4,), (4, 2, 1), (0, 2)])
def test_outputs_of_another_shape(divergence, shape):
    regularizer = AdversarialRegularizer(reference(), divergence, random_state=0)
    with pytest.raises(
        ValueError, match=r"the reference holds samples of shape \(2,\)"
    ):
        regularizer(torch.zeros(shape))


def test_references_of_lists_arrays_and_integers():
    for samples in (
        [[1.0, 2.0], [3.0, 5.0]],
        np.arange(8).reshape(4, 2),
        [[1, 2], [0, 1]],
    ):
        assert AdversarialRegularizer(samples)(draws(4, 2)).isfinite()
    assert "js" in repr(AdversarialRegularizer([[1.0, 2.0]]))


def test_the_reference_is_copied_and_not_saved():
    samples = reference().numpy()
    regularizer = AdversarialRegularizer(samples, random_state=0)
    samples[:] = 0
    assert regularizer.reference.std() > 1
    assert not any("reference" in key for key in regularizer.state_dict())
