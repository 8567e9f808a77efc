"""Looking at what models say about instances: maps, tables and pictures.

Nothing here belongs to one family: any estimator with ``instance_scores`` will do, and
so will scores that were computed elsewhere.
"""

from __future__ import annotations

from mlmi_sklearn.inspection.heatmap import BagHeatmapDisplay
from mlmi_sklearn.inspection.maps import scores_to_map
from mlmi_sklearn.inspection.top import top_instances
from mlmi_sklearn.inspection.top_display import TopInstancesDisplay

__all__ = [
    "BagHeatmapDisplay",
    "TopInstancesDisplay",
    "scores_to_map",
    "top_instances",
]
