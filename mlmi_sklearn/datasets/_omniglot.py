"""Omniglot, the handwritten characters of thirty alphabets, in small pictures."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch

from mlmi_sklearn.datasets._io import data_file, description

_N_DRAWERS = 20
_SIDE = 28

# The share of the articles, 1,200 of 1,623 characters, of the 964 that are here.
_N_TRAIN = 713
_SPLIT_SEED = 0

_SUBSETS = ("all", "train", "test")


def load_omniglot_small(
    *,
    size: Literal[14, 28] = 14,
    rotations: bool = False,
    subset: Literal["all", "train", "test"] = "all",
    return_X_y: bool = False,
) -> Any:
    """Load Omniglot: 964 characters of 30 alphabets, each drawn by 20 people.

    The usual test of few-shot classification: many classes, few pictures of each. These
    are the thirty "background" alphabets of the original.

    ==============  =============================================
    Characters      964 (713 train, 251 test); four times as many
                    with rotations
    Drawings        20 of each character
    Pictures        14x14 or 28x28, one channel, ink 1, paper 0
    ==============  =============================================

    Parameters
    ----------
    size : {14, 28}, default=14
        Height and width of the pictures. Those of 28 are black and white, those of 14
        the means of their blocks of 2x2.
    rotations : bool, default=False
        Whether characters turned by 90, 180 and 270 degrees count as further
        characters. This makes four times as many rows: 60 MB with ``size=14``, 242 MB
        with ``size=28``.
    subset : {"all", "train", "test"}, default="all"
        Rows to load, by the fixed split.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` alone.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        Or the tuple ``(data, target)``. The entries, of n rows sorted by ``target``:

        - ``data``, also named ``images``: ndarray of float32 of shape
          (n, 1, size, size), in [0, 1];
        - ``target``: code of the character, ``base_character + 964 * quarter turns``,
          whatever the subset;
        - ``base_character``: code, 0 to 963, of the character before it was turned;
        - ``rotation``: 0, 90, 180 or 270, in degrees, counter-clockwise;
        - ``alphabet``: code of the alphabet, 0 to 29;
        - ``drawer``: 1 to 20; within an alphabet, one number is one person;
        - ``split``: "train" or "test";
        - ``target_names``: name for every code, such as "Greek/character01" or
          "Greek/character01/rot090";
        - ``alphabet_names``: name for every code of an alphabet;
        - ``DESCR``: the description.

    Raises
    ------
    ValueError
        If `size` or `subset` is none of its values.

    Notes
    -----
    The split draws 713 of the 964 characters for training, once and for all, with
    ``numpy.random.RandomState(0).permutation(964)[:713]``. It is the share of Santoro
    et al. and Finn et al., 1,200 of 1,623. A character and its rotations are always on
    one side. Any alphabet has characters on both sides; hold out by ``alphabet`` for
    the harder question of Lake et al.

    To cut the data yourself, use ``base_character`` as groups: by ``target``, a turned
    character could be trained on while the upright one is tested.

    References
    ----------
    Lake, B. M., Salakhutdinov, R. and Tenenbaum, J. B. (2015). Human-level concept
    learning through probabilistic program induction. Science 350(6266), 1332-1338.

    Santoro, A. et al. (2016). Meta-learning with memory-augmented neural networks.
    ICML. (Rotations as new characters.)

    Finn, C., Abbeel, P. and Levine, S. (2017). Model-agnostic meta-learning for fast
    adaptation of deep networks. ICML, section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> from mlmi_sklearn.datasets import load_omniglot_small
    >>> omniglot = load_omniglot_small(subset="test", rotations=True)
    >>> omniglot.data.shape
    (20080, 1, 14, 14)
    >>> len(np.unique(omniglot.target)), len(np.unique(omniglot.base_character))
    (1004, 251)
    >>> str(omniglot.target_names[omniglot.target[-1]])
    'Tifinagh/character43/rot270'
    """
    if not (isinstance(size, Integral) and size in (14, _SIDE)):
        raise ValueError(f"size must be 14 or {_SIDE}, got {size!r}.")
    if not (isinstance(subset, str) and subset in _SUBSETS):
        raise ValueError(f"subset must be one of {[*_SUBSETS]}, got {subset!r}.")
    packed, alphabets, alphabet_names = _read()
    split = _split(len(alphabets))
    chosen = np.flatnonzero((split == subset) | (subset == "all"))
    turns = np.arange(4 if rotations else 1)
    drawers = np.arange(1, _N_DRAWERS + 1)
    data = _turned(_pictures(packed[chosen], size), len(turns))
    grids = np.meshgrid(turns, chosen, drawers, indexing="ij")
    turn, base, drawer = (grid.ravel() for grid in grids)
    target = base + len(alphabets) * turn
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        images=data,
        target=target,
        base_character=base,
        rotation=90 * turn,
        alphabet=alphabets[base],
        drawer=drawer,
        split=split[base],
        target_names=_names(alphabets, alphabet_names, turns),
        alphabet_names=alphabet_names,
        DESCR=description("omniglot_small"),
    )


def _read() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read packed pictures (character, drawer, byte), alphabets and their names."""
    with data_file("omniglot_small.npz").open("rb") as file, np.load(file) as data:
        packed = data["images"].reshape(-1, _N_DRAWERS, _SIDE * _SIDE // 8)
        return (
            packed,
            data["alphabet"].astype(np.int64),
            data["alphabet_names"].astype(str),
        )


def _split(n_characters: int) -> np.ndarray:
    """Return the side of each character; RandomState's numbers are fixed for ever."""
    order = np.random.RandomState(_SPLIT_SEED).permutation(n_characters)
    split = np.full(n_characters, "test", dtype="<U5")
    split[order[:_N_TRAIN]] = "train"
    return split


def _pictures(packed: np.ndarray, size: int) -> np.ndarray:
    """Unpack pictures and shrink them by the mean of blocks."""
    bits = np.unpackbits(packed.reshape(-1, packed.shape[-1]), axis=1)
    block = _SIDE // size
    blocks = bits.reshape(-1, size, block, size, block)
    ink = sum(blocks[:, :, i, :, j] for i in range(block) for j in range(block))
    return np.asarray(ink, dtype=np.float32) / np.float32(block**2)


def _turned(pictures: np.ndarray, n_turns: int) -> np.ndarray:
    """Return the pictures turned by 0, 90, ... degrees, one block after the other."""
    shape = (n_turns, len(pictures), 1, *pictures.shape[1:])
    data = np.empty(shape, dtype=np.float32)
    for turn in range(n_turns):
        data[turn, :, 0] = np.rot90(pictures, turn, axes=(1, 2))
    return data.reshape(-1, *shape[2:])


def _names(alphabets: np.ndarray, names: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Name all characters by alphabet, number within it, and turn."""
    first = np.searchsorted(alphabets, alphabets)
    number = np.arange(len(alphabets)) - first + 1
    plain = [
        f"{names[a]}/character{n:02d}" for a, n in zip(alphabets, number, strict=True)
    ]
    ends = ["" if turn == 0 else f"/rot{90 * turn:03d}" for turn in turns]
    return np.array([name + end for end in ends for name in plain])
