"""One text for the parameters that generators share."""

from __future__ import annotations

import re
from inspect import cleandoc
from textwrap import indent
from typing import TypeVar

__all__ = ["with_gan_parameters"]

_T = TypeVar("_T", bound=type)

_TEXT = cleandoc("""
    r1 : float, default=0.1
        Weight of the R1 penalty, half the mean squared slope of D at real samples
        (Mescheder et al. 2018), computed in every fourth step; 0 for none.
    spectral_norm : bool, default=False
        Whether to divide the weights of D by their largest singular value.
    gradient_penalty : float, default=0.0
        Weight of (slope - 1)^2 between real and synthetic samples; 0 is 10 for
        "wgan-gp".
    diversity : float, default=0.0
        Weight of the reward for samples that differ as their latent vectors do (Mao et
        al. 2019).
    minibatch_std : bool or "auto", default="auto"
        Whether D sees how much samples of a batch differ (Karras et al. 2018), without
        which generators of images draw the same few. "auto" is True for images and
        volumes, unless maps say what each of them is to show.
    ema : float, default=0.999
        Decay of the running mean of the generator, in [0, 1); 0 draws samples with the
        last weights.
    augment : str, spec, callable, list of these or None, default=None
        Registered random changes of all that D sees, real and synthetic (Zhao et al.
        2020): "translation", "cutout", "flip", "noise" and others.
    latent_dim : int, default=32
        Random numbers behind a sample.
    max_iter : int, default=3000
        Steps of the generator, whatever the number of samples.
    batch_size : int, default=128
        Samples in a batch, at least 2.
    n_critic : int, default=1
        Steps of D for each of G.
    optimizer : str or callable, default="adam"
        As in :class:`~mlmi_sklearn.NetClassifier`; each player has its own.
    lr : float, default=1e-3
        Learning rate of the generator, above 0.
    lr_discriminator : float or None, default=None
        That of D; None for the same (two time scales: Heusel et al. 2017).
    betas : tuple of two floats, default=(0.5, 0.99)
        Of Adam and its kin.
    weight_decay : float, default=0.0
        Decay of the weights per step, relative to ``lr``.
    lr_schedule : str or callable, default="constant"
        As in :class:`~mlmi_sklearn.NetClassifier`.
    balanced_batches : bool or "auto", default="auto"
        Whether every class, or combination of classes, has the same share of a batch;
        "auto" is True. Shares of what ``sample`` draws are those of the data all the
        same.
    preprocess : str or transformer, default="auto"
        How numbers are scaled for the nets: "auto", "standard", "minmax", "none", or a
        transformer with ``inverse_transform``.
    categorical_features : array-like, callable, "from_dtype" or None, \
default="from_dtype"
        Columns of categories, as in
        :class:`~sklearn.ensemble.HistGradientBoostingClassifier`; those of type
        category, object, string or bool by default.
    sampling_strategy : str, float, dict or callable, default="auto"
        Which classes ``fit_resample`` adds to, as in imbalanced-learn.
    scoring : str or callable, default="tstr"
        What ``score`` and ``early_stopping`` go by: a name in
        ``mlmi_sklearn.metrics.SYNTHETIC_SCORERS``, or ``(X, y, X_synthetic,
        y_synthetic) -> float``, higher is better.
    early_stopping : bool, default=False
        Whether to set real samples aside, judge synthetic ones by them 20 to 40 times
        during training, and stop when they no longer get better.
    validation_fraction : float, default=0.1
        Share of the training data set aside.
    n_iter_no_change : int, default=10
        Looks without an improvement of more than ``tol`` before stopping.
    tol : float, default=1e-4
        Improvement of the score that counts.
    checkpoint : {{"best", "last"}} or pathlib.Path, default="best"
        Which weights ``early_stopping`` keeps. A path is a folder for the state of the
        training, from which ``fit`` on the same data with the same parameters goes on
        after its process has died; the best weights are kept then.
    checkpoint_every : int, default=1
        Epochs (of 100 steps) from one such state to the next.
    warm_start : bool, default=False
        Whether ``fit`` continues from the weights of the last ``fit``.
    callbacks : list of skorch callbacks, default=None
        Copied before use; an epoch is a run of 100 steps.
    device : str, default="auto"
        ``"auto"`` (CUDA, then MPS, then CPU) or a PyTorch device string.
    dtype : {{"auto", "float32", "float64"}}, default="auto"
        Type of weights; "auto" is float32, whatever the type of ``X``.
    precision : {{"auto", "full", "bf16", "fp16"}}, default="auto"
        Automatic mixed precision in training: "auto" is full precision on a CPU,
        bfloat16 on GPUs that compute it at full rate. Losses, penalties and what is
        drawn afterwards are in full precision.
    random_state : int, RandomState instance or None, default=None
        Seed of weights, batches and samples. The same seed on the same machine gives
        identical results, whatever else uses global generators.
    verbose : int, default=0
        1 shows a progress bar.
""")


def with_gan_parameters(cls: _T) -> _T:
    """Replace ``{gan_parameters}`` in a class docstring by the shared text."""
    place = re.compile(r"^( *)\{gan_parameters\}", re.MULTILINE)
    text = place.sub(lambda m: indent(_TEXT, m[1]), cls.__doc__ or "")
    cls.__doc__ = text.replace("{{", "{").replace("}}", "}")
    return cls
