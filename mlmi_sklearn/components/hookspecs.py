"""The hooks through which plugins, and the package itself, register parts.

A plugin is an installed distribution with an entry point in the group
``mlmi_sklearn`` that names a module (or an object). Whatever of the functions below
the module defines, decorated with :data:`hookimpl`, is called once with a function
``register(name, factory, *, summary, tags={}, example={})``::

    from mlmi_sklearn import hookimpl


    @hookimpl
    def mlmi_register_losses(register):
        register("tversky", "my_package.losses:Tversky", summary="Tversky loss.")

``factory`` is a callable, or a string ``"package.module:attribute"`` that is imported
when the part is first used: prefer the string, so that listing plugins stays quick.
``summary`` is one line for listings. ``tags`` are facts to select by
(``list_components("loss", task="classification")``). ``example`` holds arguments with
which the conformance checks can build the part.

A name that ends in ``":*"`` registers a *family*: as many parts as its factory knows,
without one of them being listed or imported before it is named. The factory then takes
what a user wrote after the colon and returns the factory of that part, or raises
:class:`~mlmi_sklearn.exceptions.ComponentNotFoundError` with the names it might have
been. The tag ``members`` names a few, which the checks try::

    @hookimpl
    def mlmi_register_backbones(register):
        register(
            "zoo:*",
            "my_package.zoo:factory_of",
            summary="Any network of the zoo.",
            tags={"input": "image", "members": ("ape", "bear")},
        )

Users write ``backbone="zoo:ape"``, whose parameters are those of the returned factory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pluggy

__all__ = ["GROUP", "Register", "hookimpl", "hookspec"]

#: Name of the plugin project and of the entry-point group.
GROUP = "mlmi_sklearn"

#: Decorator for the functions of a plugin.
hookimpl = pluggy.HookimplMarker(GROUP)

#: Decorator for the specifications on this page.
hookspec = pluggy.HookspecMarker(GROUP)


class Register(Protocol):
    """What every hook is given: call it once for each part.

    Examples
    --------
    >>> from mlmi_sklearn.components import Register, hookimpl
    >>> class MyPlugin:
    ...     @hookimpl
    ...     def mlmi_register_losses(self, register: Register) -> None:
    ...         register("mine", "my_package:Mine", summary="My own loss.")
    >>> MyPlugin().mlmi_register_losses(lambda *part, **facts: print(*part, facts))
    mine my_package:Mine {'summary': 'My own loss.'}
    """

    def __call__(
        self,
        name: str,
        factory: Callable[..., Any] | str,
        *,
        summary: str,
        tags: Mapping[str, Any] = ...,
        example: Mapping[str, Any] = ...,
    ) -> None:
        """Register one component."""


@hookspec
def mlmi_register_backbones(register: Register) -> None:
    """Register networks that turn one input into one vector of features.

    The factory is called as ``factory(input_shape, **params)``, with the shape of one
    sample, and returns a ``torch.nn.Module`` that maps ``(B, *input_shape)`` to
    ``(B, out_features)`` and says ``out_features`` as an attribute. In evaluation
    mode a sample's output must not depend on its batch companions, and the module
    must work under ``torch.func.functional_call``. Use the tag ``input`` ("vector",
    "image", "volume" or "sequence") and an ``example`` with ``input_shape``. A factory
    that fetches pretrained weights should first ask
    :func:`mlmi_sklearn.nn.initial.weights_matter`, which says no while a fitted
    estimator is restored from its own.
    """


@hookspec
def mlmi_register_losses(register: Register) -> None:
    """Register losses that training minimises.

    The factory is called as ``factory(**params)`` and returns a callable that takes
    raw network outputs ``(B, K)`` and targets and gives one value for each sample,
    ``(B,)``, not reduced: sample weights are applied afterwards. Its attribute
    ``link``, "softmax", "sigmoid" or "identity", says how raw outputs become
    predictions. Use the tag ``task`` ("classification" or "regression").
    """


@hookspec
def mlmi_register_poolings(register: Register) -> None:
    """Register poolings that make one vector of all instances of a bag.

    The factory is called as ``factory(in_features, **params)`` and returns a module
    ``(values (N, D), segments) -> (pooled (B, D'), weights (N,))`` with an attribute
    ``out_features``; ``segments`` says which rows of ``values`` form a bag. The
    result must not depend on the order of instances nor on the other bags of the
    batch, and a bag of one instance is legal. Use an ``example`` with
    ``in_features``.

    The factory's optional attribute ``uses``, a frozenset, names what the pooling has
    to know of the instances beside their features: "coords", their places (N, C),
    which are then passed by keyword. :mod:`mlmi_sklearn.nn.poolings.contract` has the
    whole of it, and what else a pooling may offer.
    """


@hookspec
def mlmi_register_divergences(register: Register) -> None:
    """Register distances between the features of two domains.

    The factory is called as ``factory(in_features, **params)`` and returns a module
    ``(zs (n, D), zt (m, D)) -> scalar`` that is about zero when both samples come
    from one distribution; ``n`` and ``m`` may differ and may be 1. Its attribute
    ``adversarial`` says whether it owns a critic, trained against the features: it
    then returns the loss that the critic minimises, whose gradient the caller reverses
    for the features, and may have ``domain_accuracy(zs, zt) -> scalar``.

    Its optional attribute ``uses``, a frozenset, names further keywords that the call
    takes: "weights" (a pair of tensors, either of which may be None), "probabilities"
    (of classes, (n, C) and (m, C); the factory then takes ``n_classes``, too) and
    "domains" (codes, sources first; the factory then takes ``n_domains``). All are
    optional. :mod:`mlmi_sklearn.nn.divergences.contract` has the whole of it. Use the
    tag ``adversarial`` and an ``example`` with ``in_features``.
    """


@hookspec
def mlmi_register_adversarial_losses(register: Register) -> None:
    """Register pairs of losses for a generator and its discriminator.

    The factory is called as ``factory(**params)`` and returns an object with two
    methods: ``discriminator(real, fake) -> scalar`` and ``generator(fake) ->
    scalar``, both of which are minimised and take raw discriminator outputs.
    """


@hookspec
def mlmi_register_augmentations(register: Register) -> None:
    """Register random changes of a batch that leave its labels true.

    The factory is called as ``factory(**params)`` and returns a callable ``(batch,
    generator) -> batch`` that keeps shape, dtype and device and draws only from the
    given ``torch.Generator``. Samples must not see each other, and gradients must pass
    twice, since a discriminator sees what comes out. Use the tag ``input``, one kind of
    data or a tuple of several.
    """


@hookspec
def mlmi_register_generators(register: Register) -> None:
    """Register networks that make samples of random numbers and conditions.

    The factory is called as ``factory(latent_dim, output_shape, vector_size,
    map_channels, **params)`` and returns a ``torch.nn.Module`` that maps ``z (B,
    latent_dim + noise_features)``, ``vector (B, vector_size)`` or None and ``maps (B,
    map_channels, *output_shape[1:])`` or None to ``(B, *output_shape)``, without a
    final activation. Its attribute ``noise_features``, 0 if there is none, says how
    many further columns of ``z`` it wants as noise. In evaluation mode all chance is
    in ``z``, and a row must not depend on its batch companions; a tensor that is
    missing or of another shape is a ``ValueError``.

    Use the tag ``output`` ("vector", "image", "volume" or a tuple of them) and, where
    it is not as follows, the tag ``maps``: "none" for vectors, "optional" for images
    and volumes; "required" for a generator that changes an image.
    :class:`mlmi_sklearn.nn.generators.Generator` is a base class that checks shapes.
    """


@hookspec
def mlmi_register_meta_methods(register: Register) -> None:
    """Register methods of gradient-based meta-learning.

    The factory is called as ``factory(**params)`` and returns a
    :class:`mlmi_sklearn.nn.tasks.MetaMethod`: which weights the inner loop changes,
    whether the outer gradient goes through its steps, and what the outer loop learns
    from. A subclass may decide in ``changes(name)`` for every parameter by itself.
    """


@hookspec
def mlmi_register_slide_readers(register: Register) -> None:
    """Register readers of image files, for :class:`~mlmi_sklearn.TileGrid`.

    The factory is called as ``factory(path, **params)`` and returns an object with
    ``shape``, ``read(row, col, height, width)`` and ``overview(step)``, in pixels of
    the image as the parameters want it: see
    :class:`mlmi_sklearn.preprocessing.SlideReader`. It may have ``close()``. It must
    survive pickling, may be used from several threads, and a file that cannot be read
    is a ``ValueError`` that names it.

    Use the tag ``suffixes``, a tuple such as ``(".svs", ".ndpi")``: with
    ``reader="auto"`` such files go to this reader. If the factory has a function
    ``detect(path) -> bool``, that has the last word. For the checks, ``example`` may
    hold ``write``, a function ``(folder, pixels) -> path`` that writes an image of
    shape (height, width, 3), uint8, in a format of this reader; without it, a tiled
    TIFF is written. With the tag ``lossless=False`` pixels may come back changed a
    little.
    """


@hookspec
def mlmi_register_estimators(register: Register) -> None:
    """Register estimators, for discovery and for the conformance kit.

    The factory is a scikit-learn compatible class (or the string that names it); the
    registered name is the class name. Use the tags ``family`` and ``type``
    ("classifier", "regressor", "transformer" or "sampler").
    """
