"""
What would the probe see there? Ultrasound by place
===================================================

A tracked ultrasound probe is moved over a phantom, and each frame comes with its place
in space. Can a net learn from such frames what the probe would see at places where it
never was? Hu et al. (2017) did this with a generator that is told the physical
coordinates of every pixel, *spatial conditioning*, and judged it by landmarks: is a
structure where it should be?

The phantom here is a formula, so that the truth is known at any place.
"""

# %%
# Frames, and where they are
# --------------------------
#
# Four bright ellipsoids in a block of tissue, with the multiplicative speckle of
# ultrasound. ``coordinates`` are maps of x, y and z in millimetres, made by
# ``coordinate_map`` of the pose of the probe: with frames of your own, that is all you
# need of the tracker and the calibration.

import os

import matplotlib.pyplot as plt
import numpy as np

from mlmi_sklearn import CGANSampler
from mlmi_sklearn.datasets import make_probe_path, make_ultrasound_phantom
from mlmi_sklearn.metrics import (
    across_latent_spread,
    detect_landmarks,
    landmark_error,
)

QUICK = os.environ.get("MLMI_SKLEARN_QUICK") == "1"
STEPS, FRAMES, NEW, DRAWS = (10, 100, 20, 3) if QUICK else (800, 2000, 200, 10)

train = make_ultrasound_phantom(FRAMES, random_state=0)
new = make_ultrasound_phantom(NEW, random_state=1)  # other poses, the same phantom
print("frames", train.images.shape, "coordinates", train.coordinates.shape)

# %%
# A generator that is told where
# ------------------------------
#
# The maps enter the generator at every scale, and the discriminator beside the frame.
# With ``noise=True`` each scale gets noise of its own, from which speckle can be made;
# without, a generator tends to ignore its random numbers: one frame a place.

sampler = CGANSampler("conv", batch_size=32, max_iter=STEPS, random_state=0)
sampler.set_params(generator__channels=(8, 16, 32), generator__noise=True)
sampler.fit(train.images, condition=train.coordinates)

# %%
# Landmarks at new places
# -----------------------
#
# A detector looks for the middle of each section, in real and in simulated frames. Real
# frames say how well it does at best. The frame of the nearest pose in the training
# data is what one would show without any net; a frame of any pose is pure chance.


def nearest(coordinates):
    """Return the training frame whose corners are nearest in space, for each frame."""
    corners = [
        c[:, :, ::23, ::23].reshape(len(c), -1)
        for c in (coordinates, train.coordinates)
    ]
    gaps = ((corners[0][:, None] - corners[1]) ** 2).sum(axis=-1)
    return train.images[gaps.argmin(axis=1)]


def errors(frames, images):
    """Return the distance of each landmark found from the truth, in pixels."""
    found = detect_landmarks(images, frames.landmarks)
    distances = np.linalg.norm(found - frames.landmarks, axis=-1)
    error = landmark_error(frames.landmarks, found)
    print(f"median {error.median:.2f}, mean {error.mean:.2f} pixels", end=", ")
    print(f"{error.missing} of {error.n_landmarks} missing")
    return distances[np.isfinite(distances)]


methods = {
    "real frame": new.images,
    "simulated": sampler.sample(condition=new.coordinates, random_state=0)[0],
    "nearest pose": nearest(new.coordinates),
    "any pose": train.images[:NEW],
}
off = {}
for name, images in methods.items():
    print(f"{name:>12}: ", end="")
    off[name] = errors(new, images)

# %%
# As a landmark that is lost adds nothing to the mean, read it beside those missing.
#
# Does it use its noise?
# ----------------------
#
# The probe is moved along a line. At each place the phantom is scanned several times,
# with other speckle, and several frames are simulated. They should differ by as much.

poses = make_probe_path(8)
line = make_ultrasound_phantom(poses=poses, random_state=0)
real = np.stack(
    [
        make_ultrasound_phantom(poses=poses, random_state=seed).images
        for seed in range(DRAWS)
    ]
)
draws = np.stack(
    [
        sampler.sample(condition=line.coordinates, random_state=seed)[0]
        for seed in range(DRAWS)
    ]
)
spread = across_latent_spread(draws, real)
print(f"deviation {spread.spread:.3f} of simulated frames at one place,", end=" ")
print(f"{spread.reference:.3f} of real ones: ratio {spread.ratio:.2f}")

# %%
# Along the line, frames beside the truth. Crosses are the true landmarks.

figure = plt.figure(figsize=(9.6, 8.2), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=(4, 2.6))
grid = above.subplots(4, len(poses))
rows = {
    "truth": line.truth,
    "real frame": real[0],
    "simulated": draws[0],
    "nearest pose": nearest(line.coordinates),
}
for (name, images), axes in zip(rows.items(), grid, strict=True):
    axes[0].set_ylabel(name)
    for image, landmarks, ax in zip(images, line.landmarks, axes, strict=True):
        ax.imshow(image[0], cmap="gray", vmin=0, vmax=1)
        ax.plot(*landmarks.T[::-1], "+", color="#E69F00", markersize=7)
        ax.set(xticks=[], yticks=[])
for ax, pose in zip(grid[0], poses, strict=True):
    ax.set_title(f"z = {pose[2, 3]:.1f} mm", fontsize="small")

STYLE = {
    "real frame": ("#000000", "--"),
    "simulated": ("#0072B2", "-"),
    "nearest pose": ("#D55E00", "-"),
    "any pose": ("#9A9A9A", "-"),
}
left, right = below.subplots(1, 2)
for name, distances in off.items():
    colour, dashes = STYLE[name]
    within = np.arange(1, len(distances) + 1) / np.isfinite(new.landmarks[..., 0]).sum()
    x, y = np.append(np.sort(distances), 4), np.append(within, within[-1])
    left.step(x, y, where="post", color=colour, ls=dashes, label=name)
left.set(
    title="landmarks at new places",
    xlabel="error up to (pixels)",
    ylabel="share of landmarks",
    xlim=(0, 4),
    ylim=(0, 1.02),
)
left.legend(loc="center right", frameon=False)

edges = np.linspace(line.truth.min(), line.truth.max(), 7)
bins = np.digitize(line.truth.ravel(), edges[1:-1])
filled = [b for b in range(6) if (bins == b).sum() > 10]
for name, stack in {"real frame": real, "simulated": draws}.items():
    sd = stack.std(axis=0, ddof=1).ravel()
    colour, dashes = STYLE[name]
    middle = [line.truth.ravel()[bins == b].mean() for b in filled]
    right.plot(middle, [sd[bins == b].mean() for b in filled], dashes, color=colour)
    right.plot(middle, [sd[bins == b].mean() for b in filled], "o", color=colour)
right.set(
    title=f"deviation across frames of one place: ratio {spread.ratio:.2f}",
    xlabel="brightness of the truth",
    ylabel="standard deviation",
    ylim=(0, None),
)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# What to take home: simulated frames are judged by where things are, and by how much
# they vary, not by how real they look. That is for people to say:
# ``RealismStudy(new.images, methods["simulated"])`` exports a blind test for them, and
# counts the answers.
