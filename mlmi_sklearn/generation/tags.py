"""Tags by which imbalanced-learn knows a sampler, without importing it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from sklearn.base import BaseEstimator, OneToOneFeatureMixin
from sklearn.utils import InputTags, Tags

__all__ = ["SamplerTags"]


@dataclass
class _SampleTypes:
    """What imbalanced-learn's ``sampler_tags`` says."""

    sample_indices: bool = False


@dataclass
class _ResamplingInputTags(InputTags):
    dataframe: bool = True


@dataclass
class _ResamplingTags(Tags):
    sampler_tags: _SampleTypes = field(default_factory=_SampleTypes)


class SamplerTags(OneToOneFeatureMixin, BaseEstimator):
    """Mixin: tags and names of features, as imbalanced-learn looks for them."""

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        wider = _ResamplingTags(**_values_of(tags))
        wider.input_tags = _ResamplingInputTags(**_values_of(tags.input_tags))
        return wider


def _values_of(tags: Any) -> dict[str, Any]:
    return {f.name: getattr(tags, f.name) for f in fields(tags)}
