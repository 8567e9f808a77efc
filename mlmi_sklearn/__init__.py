"""Deep learning for medical imaging as scikit-learn estimators.

Labels on bags of instances, other hospitals, few examples, rare classes: each is an
estimator with ``fit`` and ``predict`` that works in a ``Pipeline`` and under
``GridSearchCV``. Names are imported on first use, so ``import mlmi_sklearn`` is quick
and does not import PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from ._versions import show_versions as show_versions
    from .components import all_estimators as all_estimators
    from .components import find_component as find_component
    from .components import hookimpl as hookimpl
    from .components import list_components as list_components
    from .components import list_plugins as list_plugins
    from .components import register_component as register_component
    from .containers import Bags as Bags
    from .containers import Stream as Stream
    from .containers import check_bags as check_bags
    from .domain_adaptation import DANNClassifier as DANNClassifier
    from .domain_adaptation import DANNRegressor as DANNRegressor
    from .domain_adaptation import (
        ImportanceWeightedClassifier as ImportanceWeightedClassifier,
    )
    from .domain_adaptation import MMEClassifier as MMEClassifier
    from .domain_adaptation import MSDATransformer as MSDATransformer
    from .domain_adaptation import pack_domains as pack_domains
    from .domain_adaptation import unpack_domains as unpack_domains
    from .generation import AdversarialRegularizer as AdversarialRegularizer
    from .generation import AugmentedClassifier as AugmentedClassifier
    from .generation import AugmentedRegressor as AugmentedRegressor
    from .generation import CGANSampler as CGANSampler
    from .generation import ImageTranslator as ImageTranslator
    from .generation import RegularizedLoss as RegularizedLoss
    from .meta_learning import AdaptedClassifier as AdaptedClassifier
    from .meta_learning import AdaptedRegressor as AdaptedRegressor
    from .meta_learning import FineTuneClassifier as FineTuneClassifier
    from .meta_learning import FineTuneRegressor as FineTuneRegressor
    from .meta_learning import MAMLClassifier as MAMLClassifier
    from .meta_learning import MAMLEstimator as MAMLEstimator
    from .meta_learning import MAMLRegressor as MAMLRegressor
    from .meta_learning import MultiTaskEstimator as MultiTaskEstimator
    from .meta_learning import ProtoNetClassifier as ProtoNetClassifier
    from .meta_learning import SelfTaughtTransformer as SelfTaughtTransformer
    from .mil import MISVC as MISVC
    from .mil import BagFisherVector as BagFisherVector
    from .mil import BagStatistics as BagStatistics
    from .mil import BagVLAD as BagVLAD
    from .mil import CitationKNN as CitationKNN
    from .mil import InstanceWise as InstanceWise
    from .mil import MILClassifier as MILClassifier
    from .mil import MILESTransformer as MILESTransformer
    from .mil import MILOrdinalClassifier as MILOrdinalClassifier
    from .mil import MILRegressor as MILRegressor
    from .mil import NormalizedSetKernel as NormalizedSetKernel
    from .mil import SingleInstanceClassifier as SingleInstanceClassifier
    from .mil import check_mil_assumption as check_mil_assumption
    from .model_selection import few_shot_score as few_shot_score
    from .model_selection import search_tasks as search_tasks
    from .model_selection import transfer_setting as transfer_setting
    from .persistence import load as load
    from .persistence import save as save
    from .preprocessing import TileGrid as TileGrid
    from .preprocessing import coordinate_map as coordinate_map
    from .search import VectorizedSearchCV as VectorizedSearchCV
    from .supervised import NetClassifier as NetClassifier
    from .supervised import NetRegressor as NetRegressor
    from .uncertainty import DeepEnsembleClassifier as DeepEnsembleClassifier

_HOME = {
    "AdversarialRegularizer": "generation",
    "AugmentedClassifier": "generation",
    "AugmentedRegressor": "generation",
    "BagFisherVector": "mil",
    "BagStatistics": "mil",
    "BagVLAD": "mil",
    "Bags": "containers",
    "CGANSampler": "generation",
    "CitationKNN": "mil",
    "DANNClassifier": "domain_adaptation",
    "DANNRegressor": "domain_adaptation",
    "DeepEnsembleClassifier": "uncertainty",
    "ImportanceWeightedClassifier": "domain_adaptation",
    "ImageTranslator": "generation",
    "InstanceWise": "mil",
    "MILClassifier": "mil",
    "MILESTransformer": "mil",
    "MILOrdinalClassifier": "mil",
    "MILRegressor": "mil",
    "MISVC": "mil",
    "MSDATransformer": "domain_adaptation",
    "MMEClassifier": "domain_adaptation",
    "AdaptedClassifier": "meta_learning",
    "AdaptedRegressor": "meta_learning",
    "FineTuneClassifier": "meta_learning",
    "FineTuneRegressor": "meta_learning",
    "MAMLClassifier": "meta_learning",
    "MAMLEstimator": "meta_learning",
    "MAMLRegressor": "meta_learning",
    "MultiTaskEstimator": "meta_learning",
    "ProtoNetClassifier": "meta_learning",
    "RegularizedLoss": "generation",
    "SelfTaughtTransformer": "meta_learning",
    "few_shot_score": "model_selection",
    "search_tasks": "model_selection",
    "NetClassifier": "supervised",
    "NetRegressor": "supervised",
    "NormalizedSetKernel": "mil",
    "SingleInstanceClassifier": "mil",
    "Stream": "containers",
    "TileGrid": "preprocessing",
    "VectorizedSearchCV": "search",
    "all_estimators": "components",
    "check_bags": "containers",
    "check_mil_assumption": "mil",
    "coordinate_map": "preprocessing",
    "find_component": "components",
    "hookimpl": "components",
    "list_components": "components",
    "list_plugins": "components",
    "load": "persistence",
    "pack_domains": "domain_adaptation",
    "register_component": "components",
    "save": "persistence",
    "show_versions": "_versions",
    "transfer_setting": "model_selection",
    "unpack_domains": "domain_adaptation",
}
_MODULES = {"base", "components", "containers", "datasets", "exceptions", "metrics"}
_MODULES |= {"inspection", "model_selection", "preprocessing"}
_MODULES |= {
    "domain_adaptation",
    "generation",
    "meta_learning",
    "mil",
    "nn",
    "persistence",
    "search",
    "specs",
    "supervised",
    "testing",
    "training",
    "uncertainty",
}
_SPEC_SUFFIXES = (
    *("Backbone", "Loss", "Pooling", "Divergence", "Generator", "Augmentation"),
    "MetaMethod",
)

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    elif name in _MODULES:
        value = import_module(f".{name}", __name__)
    elif name.endswith(_SPEC_SUFFIXES):
        # Specs of built-in components, such as MLPBackbone or FocalLoss.
        value = getattr(import_module(".specs", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    from .specs import spec_names

    return sorted({*globals(), *_HOME, *_MODULES, *spec_names()})
