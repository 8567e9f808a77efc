"""Looking at what models say about instances, and at how domains are made alike.

Nothing here belongs to one family: any estimator with ``instance_scores`` will do for
maps and tables of instances, and so will scores that were computed elsewhere; any that
keeps a record of adapting will do for the picture of domains, and any with ``sample``
for those of synthetic data.
"""

from __future__ import annotations

from mlmi_sklearn.inspection.coverage import CoverageDisplay
from mlmi_sklearn.inspection.domains import DomainDiagnosticsDisplay
from mlmi_sklearn.inspection.gan_training import GANTrainingDisplay
from mlmi_sklearn.inspection.heatmap import BagHeatmapDisplay
from mlmi_sklearn.inspection.maps import scores_to_map
from mlmi_sklearn.inspection.samples import SampleGridDisplay
from mlmi_sklearn.inspection.top import top_instances
from mlmi_sklearn.inspection.top_display import TopInstancesDisplay

__all__ = [
    "BagHeatmapDisplay",
    "CoverageDisplay",
    "DomainDiagnosticsDisplay",
    "GANTrainingDisplay",
    "SampleGridDisplay",
    "TopInstancesDisplay",
    "scores_to_map",
    "top_instances",
]
