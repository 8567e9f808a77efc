"""A small pyramid of noisy tissue, half of it glass."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile


@pytest.fixture(scope="session")
def pixels():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 60, (300, 421, 3)).astype(np.uint8)
    image += np.array([180, 90, 150], np.uint8)  # tissue
    image[:, 208:] = 244  # glass
    return image


def _halved(image):
    """Average 2 x 2 pixels; a last odd row or column is cut off."""
    height, width = (n // 2 for n in image.shape[:2])
    blocks = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


@pytest.fixture(scope="session")
def halved():
    return _halved


@pytest.fixture(scope="session")
def write():
    def write(path, image, levels=3, mpp=0.5, **options):
        if mpp is not None:
            per_cm = 1e4 / mpp
            options |= {
                "resolution": (per_cm, per_cm),
                "resolutionunit": "CENTIMETER",
            }
        with tifffile.TiffWriter(path) as file:
            for level in range(levels):
                kind = int(level > 0)
                file.write(
                    image,
                    tile=(64, 64),
                    photometric="rgb",
                    subfiletype=kind,
                    metadata=None,
                    **options,
                )
                image = _halved(image)
        return path

    return write


@pytest.fixture(scope="session")
def pyramid(pixels, write, tmp_path_factory):
    return write(tmp_path_factory.mktemp("slides") / "pyramid.tiff", pixels)
