"""Images of any intensities go between -1 and 1 and come back in their type."""

import pickle

import numpy as np
import pytest
import torch

from mlmi_sklearn.generation.encoding import ImageCodec, make_codec

RNG = np.random.default_rng(0)


def round_trip(X, **arguments):
    codec = ImageCodec(**arguments).fit(X)
    Z = codec.encode(X)
    assert Z.shape == (len(X), *codec.shape_)
    assert Z.min() >= -1
    assert Z.max() <= 1
    out = codec.decode(Z)
    assert out.dtype == X.dtype
    assert out.shape == X.shape
    return codec, Z, out


@pytest.mark.parametrize(
    "shape", [(4, 5, 7), (4, 3, 5, 7), (4, 2, 3, 5, 4), (4, 1, 1, 1)]
)
@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]
)
def test_every_type_and_shape_comes_back(shape, dtype):
    if dtype.startswith("f"):
        X = RNG.normal(300, 50, shape).astype(dtype)
    else:
        bounds = np.iinfo(dtype)
        X = RNG.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)
    before = X.copy()
    codec, Z, out = round_trip(X, scale="full")
    assert Z.dtype == ("float64" if dtype == "float64" else "float32")
    # float32 does not tell all 32-bit integers apart.
    rtol = 1e-5 if dtype in ("float32", "int32") else 1e-12
    np.testing.assert_allclose(out, X, rtol=rtol, atol=300 if dtype == "int32" else 0)
    np.testing.assert_array_equal(X, before)
    assert codec.blocks_ == [("tanh", 0, codec.shape_[0], -1)]
    assert codec.width_ == np.prod(codec.shape_)


def test_64_bit_images_do_not_overflow():
    X = np.array([[[np.iinfo("int64").min, 0, np.iinfo("int64").max]]])
    _, _, out = round_trip(X)
    assert out[0, 0, 0] < -9e18
    assert out[0, 0, 2] > 9e18


def test_ends_of_the_range_become_minus_one_and_one():
    X = RNG.integers(-1024, 3071, (5, 1, 6, 6)).astype("int16")
    codec, Z, _ = round_trip(X)
    assert (Z.min(), Z.max()) == (-1, 1)
    wild = codec.decode(np.full((1, *codec.shape_), 9.0))
    assert (wild == X.max()).all()
    assert (codec.decode(np.full((1, *codec.shape_), -9.0)) == X.min()).all()


def test_a_few_bright_pixels_do_not_set_the_scale():
    X = RNG.normal(100, 10, (40, 1, 16, 16))
    X[0, 0, 0, 0] = 1e5
    codec, Z, _ = round_trip(X)
    assert codec.high_[0] < 200
    assert Z.std() > 0.1
    full, Z, out = round_trip(X, scale="full")
    assert full.high_[0] == 1e5
    np.testing.assert_allclose(out, X, rtol=1e-9)


def test_sparse_pictures_keep_their_contrast():
    # All but 0.05 % are background: the inner range is a point.
    X = np.zeros((20, 1, 32, 32), dtype="float32")
    X[::2, 0, 4, 4] = RNG.random(10)
    codec, _, out = round_trip(X)
    assert codec.high_[0] == X.max()
    np.testing.assert_allclose(out, X, atol=1e-6)


def test_a_given_range_cuts_off():
    X = np.array([[[-2000, 0, 3000]]], dtype="int16")
    codec, Z, out = round_trip(X, scale=(-1000, 1000))
    assert Z.ravel().tolist() == [-1, 0, 1]
    assert out.ravel().tolist() == [-1000, 0, 1000]
    assert codec.low_.tolist() == [-1000]


def test_channels_that_differ_get_ranges_of_their_own():
    X = np.stack(
        [RNG.random((6, 5, 5)), 1000 * RNG.random((6, 5, 5)), np.full((6, 5, 5), 7.0)],
        1,
    )
    codec, Z, out = round_trip(X[:, :2])
    assert codec.high_[0] <= 1 < 900 < codec.high_[1]
    assert np.ptp(Z[:, 0]) == 2
    np.testing.assert_allclose(out, X[:, :2])
    codec, _, out = round_trip(X[:, :2], per_channel=False)
    assert codec.high_[0] == codec.high_[1]
    codec, _, out = round_trip(X, per_channel=True)
    np.testing.assert_allclose(out, X)


def test_channels_alike_share_a_range():
    X = RNG.random((6, 3, 5, 5))
    codec, _, _ = round_trip(X)
    assert len(set(codec.high_.tolist())) == 1
    # A shift that parts them is one that a shared range would waste.
    codec, _, _ = round_trip(X + np.array([0, 5, 10]).reshape(3, 1, 1))
    assert len(set(codec.high_.tolist())) == 3


def test_constant_images():
    for value, dtype in ((3, "uint8"), (0.25, "float32"), (True, "bool")):
        X = np.full((3, 4, 4), value, dtype=dtype)
        codec, Z, out = round_trip(X)
        np.testing.assert_array_equal(out, X)
        assert (codec.decode(Z + 0.9) == X).all()


@pytest.mark.parametrize("levels", [[0, 1], [0, 0.1, 0.7], np.arange(17) / 16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_on_few_levels_stay_on_them(levels, dtype):
    X = RNG.choice(np.asarray(levels, dtype), (30, 8, 8))
    codec, Z, out = round_trip(X)
    np.testing.assert_array_equal(out, X)
    drawn = codec.decode(RNG.uniform(-1.2, 1.2, Z.shape))
    assert np.isin(drawn, X).all()


def test_masks_come_back_as_bool():
    X = RNG.random((5, 6, 6)) < 0.2
    codec, Z, out = round_trip(X)
    np.testing.assert_array_equal(out, X)
    assert codec.decode(Z * 0.3).dtype == bool


def test_many_levels_are_none():
    codec = ImageCodec().fit(RNG.random((9, 16, 16)))
    assert codec.levels_ is None
    # A first glance sees few of them.
    X = np.zeros((120, 40, 40))
    X[:, 1::2, 1] = RNG.random((120, 20))
    assert ImageCodec().fit(X).levels_ is None


def test_it_pickles_and_takes_tensors():
    X = RNG.random((4, 1, 5, 6)).astype("float32")
    codec = pickle.loads(pickle.dumps(ImageCodec().fit(torch.from_numpy(X))))
    Z = torch.from_numpy(codec.encode(X)).requires_grad_()
    np.testing.assert_allclose(codec.decode(Z), X, atol=1e-6)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 4)), r"shape \(n, H, W\)"),
        (np.zeros((0, 4, 4)), "at least one pixel"),
        (np.zeros((1, 1, 1, 1, 1, 1)), r"shape \(n, H, W\)"),
        (np.full((1, 2, 2), np.nan), "NaN"),
        (np.full((1, 2, 2), np.inf), "infinity"),
        (np.full((1, 2, 2), "a"), "real numbers"),
        (np.full((1, 2, 2), 1j), "real numbers"),
    ],
)
def test_wrong_images(X, message):
    with pytest.raises(ValueError, match=message):
        ImageCodec().fit(X)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": "ful"}, "scale must be one of 'auto', 'full', 'robust'"),
        ({"scale": (1, 1)}, "low < high"),
        ({"scale": (0, np.inf)}, "low < high"),
        ({"scale": 5}, "pair"),
        ({"per_channel": "yes"}, "per_channel must be"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageCodec(**arguments).fit(np.zeros((1, 2, 2)))


def test_images_unlike_the_first():
    codec = ImageCodec().fit(RNG.random((3, 1, 4, 5)))
    with pytest.raises(ValueError, match=r"shape \(1, 4, 5\).*got \(1, 5, 4\)"):
        codec.encode(np.zeros((2, 1, 5, 4)))
    with pytest.raises(ValueError, match=r"\(n, 1, 4, 5\)"):
        codec.decode(np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match="finite"):
        codec.decode(np.full((2, 1, 4, 5), np.nan))


def test_make_codec_takes_images():
    assert make_codec(np.zeros((2, 4, 4)), preprocess="minmax").scale == "full"
    assert make_codec(torch.zeros(2, 1, 4, 4, 4), preprocess=(0, 9)).scale == (0, 9)
    with pytest.raises(ValueError, match="X holds images"):
        make_codec(np.zeros((2, 4, 4)), categorical_features=[0])
    with pytest.raises(ValueError, match="scale must be"):
        make_codec(np.zeros((2, 4, 4)), preprocess="standard").fit(np.zeros((2, 4, 4)))
