"""The sections of the reference, in the order of its contents."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SECTIONS", "Section"]


class Section(NamedTuple):
    """A page of the reference: its file name, title, first words and modules."""

    page: str
    title: str
    lead: str
    modules: tuple[str, ...]


def _section(page: str, title: str, lead: str, *modules: str) -> Section:
    return Section(page, title, lead, tuple(f"mlmi_sklearn.{name}" for name in modules))


SECTIONS = (
    _section(
        "mil",
        "Multiple-instance learning",
        "Labels on bags, predictions for bags and instances: :doc:`/user_guide/mil`.",
        "mil",
        "containers",
    ),
    _section(
        "domain_adaptation",
        "Domain adaptation",
        "Learning for another hospital: :doc:`/user_guide/domain_adaptation`.",
        "domain_adaptation",
    ),
    _section(
        "meta_learning",
        "Meta-learning",
        "New tasks from few examples: :doc:`/user_guide/meta_learning`.",
        "meta_learning",
    ),
    _section(
        "generation",
        "Conditional generation",
        "Samples of rare classes: :doc:`/user_guide/generation`.",
        "generation",
        "generation.encoding",
    ),
    _section(
        "supervised",
        "Supervised learning and uncertainty",
        "Nets for plain labelled data, and how sure they are.",
        "supervised",
        "uncertainty",
    ),
    _section(
        "model_selection",
        "Splitting and choosing",
        "Splitters, searches and scores of the four situations.",
        "model_selection",
        "search",
    ),
    _section(
        "metrics",
        "Metrics",
        "Scores that scikit-learn does not have.",
        "metrics",
        "metrics.domain_scorers",
        "metrics.synthetic",
    ),
    _section(
        "inspection",
        "Inspection",
        "Pictures and tables of what a model does.",
        "inspection",
    ),
    _section(
        "preprocessing",
        "Slides and tiles",
        "From a slide to a bag of tiles.",
        "preprocessing",
    ),
    _section(
        "datasets",
        "Data sets",
        "Embedded real data, and generators of data.",
        "datasets",
    ),
    _section(
        "specs",
        "Components as objects",
        "Parts with their parameters, to be passed in place of a name: "
        "``MILClassifier(pooling=AttentionPooling(hidden=64))``.",
        "specs",
    ),
    _section(
        "nn",
        "Networks",
        "The torch modules and functions behind the names.",
        "nn.backbones",
        "nn.losses",
        "nn.poolings",
        "nn.divergences",
        "nn.adversarial",
        "nn.augmentations",
        "nn.generators",
        "nn.tasks",
        "nn.tasks.methods",
        "nn.segments",
        "nn.heads",
        "nn.gradient_reversal",
        "nn.registration",
        "nn.functional",
    ),
    _section(
        "plugins",
        "Components and plugins",
        "Finding and registering parts, and checking them.",
        "components",
        "testing",
    ),
    _section(
        "persistence",
        "Saving and loading",
        "Files that hold an estimator and run no code when they are read.",
        "persistence",
    ),
    _section(
        "base",
        "Foundations",
        "What estimators are built from, for those who write new ones.",
        "base",
        "training",
    ),
    _section(
        "utilities",
        "Utilities, errors and warnings",
        "The environment, and what users may catch.",
        "exceptions",
    ),
)
