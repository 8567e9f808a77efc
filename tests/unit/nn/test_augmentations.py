"""Augmentations: what each does to pixels, and what none may do."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import ndimage

from mlmi_sklearn import find_component, list_components
from mlmi_sklearn.nn.adversarial import r1_penalty
from mlmi_sklearn.nn.augmentations import (
    Brightness,
    Chain,
    Contrast,
    Cutout,
    FeatureDropout,
    Flip,
    Noise,
    Rotate,
    Scale,
    Translation,
    as_augmentation,
)
from mlmi_sklearn.nn.augmentations.resampling import interpolate
from mlmi_sklearn.specs import make_spec
from mlmi_sklearn.testing import check_component

NAMES = [part.name for part in list_components("augmentation", builtin=True)]
names = pytest.mark.parametrize("name", NAMES)
MOVING = ["translation", "cutout", "flip", "rotate", "scale"]
ON_IMAGES = [*MOVING, "brightness", "contrast"]
F64 = torch.float64


def build(name, **params):
    return find_component("augmentation", name).build(**params)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, *shape, dtype=torch.float32):
    return torch.randn(n, *(shape or (2, 9, 12)), generator=generator(9)).to(dtype)


# -- all of them -------------------------------------------------------------------


def test_all_names_are_here():
    assert set(NAMES) == {*ON_IMAGES, "noise", "feature-dropout"}


@names
def test_they_keep_the_contract(name):
    check_component("augmentation", name)


def test_tags_say_what_they_take():
    for kind in ("vector", "image", "volume"):
        found = {part.name for part in list_components("augmentation", input=kind)}
        expected = {"noise", "feature-dropout"} if kind == "vector" else set(NAMES)
        assert found >= expected
        assert found.isdisjoint(set(NAMES) - expected)


@names
def test_specs_know_the_parameters(name):
    change, spec = build(name), make_spec("augmentation", name)
    assert {k: getattr(change, k) for k in spec.get_params()} == spec.get_params()


@names
def test_copies_are_equal(name):
    change = build(name)
    for twin in (copy.deepcopy(change), pickle.loads(pickle.dumps(change))):
        assert twin == change
        assert repr(twin) == repr(change)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, F64])
@pytest.mark.parametrize("shape", [(1, 5, 5), (3, 7, 12), (1, 3, 8, 5), (2, 1, 1, 1)])
@names
def test_images_and_volumes_of_any_size(name, shape, dtype):
    batch = images(3, *shape, dtype=dtype)
    found = build(name)(batch, generator())
    assert (found.shape, found.dtype) == (batch.shape, dtype)
    assert found.isfinite().all()


@names
def test_samples_have_draws_of_their_own(name):
    batch = images(1, 1, 16, 16).expand(16, -1, -1, -1)
    found = build(name)(batch, generator())
    assert len(found.flatten(1).unique(dim=0)) > 1


@names
def test_a_generator_goes_on(name):
    change, batch, source = build(name), images(16), generator()
    assert not torch.equal(change(batch, source), change(batch, source))


@names
def test_precision_does_not_change_the_draws(name):
    batch = images(dtype=F64)
    exact = build(name)(batch, generator())
    rough = build(name)(batch.float(), generator())
    torch.testing.assert_close(rough.double(), exact, atol=1e-4, rtol=1e-4)


@names
def test_gradients_of_both_orders_are_exact(name):
    change, batch = build(name), images(2, 1, 4, 5, dtype=F64).requires_grad_()

    def value(x):
        return change(x, generator()).square()

    assert torch.autograd.gradcheck(value, (batch,))
    assert torch.autograd.gradgradcheck(value, (batch,))


@names
def test_r1_goes_through(name):
    critic = torch.nn.Conv2d(1, 1, 3)
    x = images(4, 1, 8, 8).requires_grad_()
    value = r1_penalty(critic(build(name)(x, generator())).flatten(1), x)
    value.backward()
    assert critic.weight.grad.isfinite().all()
    assert critic.weight.grad.abs().sum() > 0


@names
def test_an_empty_batch_stays_empty(name):
    assert build(name)(images()[:0], generator()).shape == (0, 2, 9, 12)


@pytest.mark.parametrize("name", ON_IMAGES)
@pytest.mark.parametrize("shape", [(4, 9), (4, 9, 9)])
def test_vectors_are_refused_with_a_way_out(name, shape):
    with pytest.raises(ValueError, match=f"{name!r} takes images .*use 'noise'"):
        build(name)(torch.zeros(shape), generator())


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("translation", {"ratio": 0}),
        ("cutout", {"ratio": 0}),
        ("flip", {"probability": 0}),
        ("flip", {"axes": ()}),
        ("brightness", {"strength": 0}),
        ("contrast", {"strength": 0}),
        ("noise", {"sd": 0}),
        ("feature-dropout", {"rate": 0}),
        ("rotate", {"degrees": 0}),
        ("scale", {"factor": 1}),
    ],
)
def test_none_of_it_changes_nothing(name, params):
    batch = images()
    torch.testing.assert_close(build(name, **params)(batch, generator()), batch)


@pytest.mark.parametrize(
    ("name", "params", "words"),
    [
        ("translation", {"ratio": 1.5}, r"ratio must be a number in \[0, 1\]"),
        ("translation", {"fill": "wrap"}, "fill='wrap' is unknown"),
        ("cutout", {"ratio": -1}, "ratio must be"),
        ("flip", {"probability": 2}, "probability must be"),
        ("flip", {"axes": (1,)}, "axes must be a tuple of -1, -2 and -3"),
        ("flip", {"axes": (-1, -1)}, "each at most once"),
        ("flip", {"axes": -1}, "axes must be a tuple"),
        ("brightness", {"strength": -0.1}, "strength must be"),
        ("contrast", {"strength": 1.1}, "strength must be"),
        ("noise", {"sd": None}, "sd must be a number"),
        ("feature-dropout", {"rate": 1}, r"rate must be a number in \[0, 1\)"),
        ("rotate", {"degrees": 181}, "degrees must be"),
        ("rotate", {"fill": "zero"}, "Did you mean 'zeros'"),
        ("scale", {"factor": 0.9}, r"factor must be a number in \[1, inf"),
    ],
)
def test_bad_parameters(name, params, words):
    with pytest.raises(ValueError, match=words):
        build(name, **params)


# -- one by one --------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 8, 12), (1, 6, 8, 5)])
@pytest.mark.parametrize(
    ("fill", "mode"), [("zeros", "constant"), ("border", "nearest")]
)
def test_translation_is_a_shift(shape, fill, mode):
    batch = images(40, *shape)
    found = Translation(0.25, fill)(batch, generator())
    seen = set()
    for x, y in zip(batch[:, 0].numpy(), found[:, 0].numpy(), strict=True):
        reach = [round(0.25 * side) for side in x.shape]
        shifts = [
            shift
            for shift in np.ndindex(*[2 * most + 1 for most in reach])
            if np.array_equal(
                ndimage.shift(x, np.subtract(shift, reach), order=0, mode=mode), y
            )
        ]
        assert shifts
        seen.add(tuple(np.subtract(shifts[0], reach)))
    assert {a for a, *_ in seen} == set(
        range(-round(shape[1] / 4), round(shape[1] / 4) + 1)
    )


def test_cutout_covers_a_box():
    found = Cutout(0.5)(torch.ones(200, 3, 8, 12), generator())
    assert torch.equal(found[:, 0], found[:, 2])
    for x in found[:, 0]:
        rows, columns = (x == 0).any(1), (x == 0).any(0)
        assert (x == 0).sum() == rows.sum() * columns.sum()
        assert 2 <= rows.sum() <= 4
        assert 3 <= columns.sum() <= 6
    covered = (found[:, 0] == 0).float().mean(0)
    assert covered.min() > 0  # every pixel is covered at times


def test_cutout_of_volumes():
    found = Cutout(0.5)(torch.ones(20, 1, 4, 6, 8), generator())
    share = (found == 0).float().mean()
    assert 0.03 < share <= 0.125


def test_flip_along_each_axis_by_itself():
    batch = images(64, 1, 3, 4)
    found = Flip((-1, -2))(batch, generator())
    kinds = [batch, batch.flip(-1), batch.flip(-2), batch.flip(-1, -2)]
    same = torch.stack([(found == k).flatten(1).all(1) for k in kinds])
    assert (same.sum(0) == 1).all()
    assert (same.sum(1) > 5).all()


def test_flip_of_slices_needs_volumes():
    assert Flip((-3,), 1.0)(images(2, 1, 3, 4, 5), generator()).shape[2] == 3
    with pytest.raises(ValueError, match="names axis -3, but"):
        Flip((-3,))(images(), generator())


def test_brightness_and_contrast_look_at_one_image():
    batch = images(50)
    brighter = Brightness(0.3)(batch, generator()) - batch
    level = brighter.flatten(1)
    assert torch.allclose(level, level[:, :1], atol=1e-6)
    assert 0.2 < level.abs().max() <= 0.3
    found = Contrast(0.3)(batch, generator()).flatten(1)
    torch.testing.assert_close(found.mean(1), batch.flatten(1).mean(1))
    factors = found.std(1) / batch.flatten(1).std(1)
    assert factors.min() >= 0.7 - 1e-5
    assert factors.max() <= 1.3 + 1e-5
    assert factors.std() > 0.1


def test_noise_and_dropout_of_vectors():
    batch = torch.ones(2000, 5)
    noise = Noise(0.2)(batch, generator()) - 1
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 0.2) < 0.01
    left = FeatureDropout(0.3)(batch, generator())
    assert set(left.unique().tolist()) == {0.0, 1.0}
    assert (left.mean(0) - 0.7).abs().max() < 0.05


@pytest.mark.parametrize("shape", [(9, 9), (8, 13), (5, 8, 6)])
def test_interpolation_is_that_of_scipy(shape):
    batch = images(2, 1, *shape, dtype=F64)
    places = [
        side * torch.rand(2, *shape, generator=generator(i), dtype=F64) * 1.4 - 1
        for i, side in enumerate(shape)
    ]
    for fill, mode in (("zeros", "grid-constant"), ("border", "nearest")):
        found = interpolate(batch, places, fill)
        for i in range(2):
            at = np.stack([p[i].numpy() for p in places])
            expected = ndimage.map_coordinates(
                batch[i, 0].numpy(), at, order=1, mode=mode
            )
            np.testing.assert_allclose(found[i, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(11, 11), (9, 14)])
def test_rotation_keeps_lengths_and_scale_multiplies_them(shape):
    """Values are coordinates, so that the result says where each pixel came from."""
    axes = torch.meshgrid(*[torch.arange(s, dtype=F64) for s in shape], indexing="ij")
    centre = torch.tensor([(s - 1) / 2 for s in shape]).reshape(1, 2, 1, 1)
    batch = torch.stack(axes).expand(20, -1, -1, -1) - centre
    near = (slice(None), slice(None), slice(3, 6), slice(3, 6))
    before = batch[near].norm(dim=1)
    turned = Rotate(20.0)(batch, generator())[near]
    torch.testing.assert_close(turned.norm(dim=1), before)
    cos = (turned * batch[near]).sum(1) / before.square().clamp_min(1e-9)
    inner = before > 0.5
    assert (cos[inner] >= math.cos(math.radians(20)) - 1e-9).all()
    assert cos[inner].std() > 0.005
    zoomed = Scale(1.3)(batch, generator())[near].norm(dim=1)
    factor = (zoomed / before.clamp_min(1e-9))[inner].reshape(20, -1)
    torch.testing.assert_close(factor, factor[:, :1].expand_as(factor))
    assert factor.min() >= 1 / 1.3 - 1e-9
    assert factor.max() <= 1.3 + 1e-9
    assert (factor > 1).any()
    assert (factor < 1).any()


def test_rotation_of_volumes_is_about_all_axes():
    batch = torch.zeros(12, 1, 9, 9, 9)
    batch[:, :, 4, 4, :] = 1
    found = Rotate(30.0)(batch, generator())
    assert (found[:, 0, 4, 4, 4] > 0.99).all()
    assert (found.sum((1, 3, 4)).ne(0).sum(1) > 1).any()  # leaves its slice
    assert (found.sum((1, 2, 4)).ne(0).sum(1) > 1).any()  # and its row


# -- several -----------------------------------------------------------------------


def test_chain_is_one_after_the_other():
    batch = images(4)
    steps = [Translation(0.25), "cutout", Noise(0.5)]
    source = generator()
    by_hand = Noise(0.5)(Cutout()(Translation(0.25)(batch, source), source), source)
    assert torch.equal(Chain(steps)(batch, generator()), by_hand)
    twin = pickle.loads(pickle.dumps(Chain(steps)))
    assert torch.equal(twin(batch, generator()), by_hand)


def test_what_counts_as_an_augmentation():
    assert as_augmentation(None) is None
    assert as_augmentation([]) is None
    assert as_augmentation("cutout") == Cutout()
    assert as_augmentation(("cutout",)).steps == [Cutout()]
    assert as_augmentation(make_spec("augmentation", "noise", sd=0.5)) == Noise(0.5)

    def mine(batch, generator):
        return batch

    assert as_augmentation(mine) is mine
    with pytest.raises(ValueError, match="cut-out"):
        as_augmentation("cut-out")
    for bad in (3, [3]):
        with pytest.raises(TypeError, match="got int: 3"):
            as_augmentation(bad)
