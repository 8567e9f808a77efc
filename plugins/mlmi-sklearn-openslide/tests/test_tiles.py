"""Slides as bags of tiles."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from mlmi_sklearn import MILClassifier, TileGrid
from mlmi_sklearn.exceptions import BagError


def test_tissue_is_tiled_at_a_wanted_resolution(pyramid, pixels):
    grid = TileGrid(50, reader_params={"mpp": 1.0})
    bags = grid.fit_transform([pyramid])
    assert bags.instance_shape == (3, 50, 50)
    assert bags.bag_ids.tolist() == ["pyramid"]
    # Tissue ends at pixel 104 of 210; the tile that is mostly glass is left out.
    assert bags.coords.tolist() == [[x, y] for y in (0, 50, 100) for x in (0, 50)]
    assert bags.values.mean() == pytest.approx(pixels[:, :200].mean() / 255, abs=0.01)


def test_chosen_by_itself_for_pyramids_only(pyramid, pixels, write, tmp_path):
    flat = write(tmp_path / "flat.tif", pixels, levels=1)
    same = [
        TileGrid(64, tissue=None, reader=reader).fit_transform([path]).values
        for path in (pyramid, flat)
        for reader in ("auto", "openslide")
    ]
    assert all(np.array_equal(same[0], other) for other in same[1:])
    with pytest.raises(BagError, match=r"flat\.tif.*takes no reader_params"):
        TileGrid(64, reader_params={"level": 0}).fit([flat])


def test_a_damaged_slide_is_named(pyramid, tmp_path):
    path = tmp_path / "case7.svs"
    path.write_bytes(b"rubbish" * 99)
    grid = TileGrid(64).fit([pyramid])
    with pytest.raises(BagError, match=r"image 1 .*case7\.svs is no slide"):
        grid.transform([pyramid, path])
    with pytest.raises(FileNotFoundError, match=r"case8\.svs"):
        grid.transform([tmp_path / "case8.svs"])
    with pytest.raises(TypeError, match="mppp"):
        TileGrid(64, reader="openslide", reader_params={"mppp": 1}).fit([pyramid])


def test_an_estimator_learns_from_paths(write, tmp_path):
    rng = np.random.default_rng(0)
    paths, y = [], np.arange(8) % 2
    for number, positive in enumerate(y):
        image = rng.integers(100, 140, (128, 128, 3)).astype(np.uint8)
        if positive:
            image[64:, 64:, 0] = 230
        paths.append(write(tmp_path / f"{number}.tiff", image, levels=2))
    model = make_pipeline(
        TileGrid(32, tissue=None, reader_params={"level": 0}, flatten=True),
        MILClassifier("linear", max_epochs=30, random_state=0),
    )
    model.fit(paths, y)
    assert model.score(paths, y) == 1
    again = pickle.loads(pickle.dumps(clone(model).fit(paths, y)))
    assert np.array_equal(again.predict_proba(paths), model.predict_proba(paths))


def test_the_readme_runs():
    text = Path(__file__).parents[1].joinpath("README.md").read_text()
    blocks = text.split("```python\n")[1:]
    assert len(blocks) == 2
    space: dict[str, object] = {}
    for block in blocks:
        exec(block.split("```")[0], space)
    assert space["tiles"].reader_params == {"mpp": 0.5}
