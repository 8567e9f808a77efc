"""Multiple-instance learning: one label for a bag of instances."""

from __future__ import annotations

from ...content import Chapter
from .assumption import assumption_section
from .digits import digits_section
from .musk import musk_section
from .settings import PRESETS, Settings
from .slides import slides_section

__all__ = ["PRESETS", "write"]

_QUESTION = """\
A scan has one diagnosis and hundreds of slices, a biopsy one grade and thousands of \
patches, a molecule one smell and many shapes. Which bags are positive, and which of \
their instances make them so, when only bags carry a label?"""

_CODE = """\
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from mlmi_sklearn import InstanceWise, MILClassifier
from mlmi_sklearn.datasets import load_musk1

X, y = load_musk1(return_X_y=True)
model = make_pipeline(InstanceWise(StandardScaler()), MILClassifier(random_state=0))
print(cross_val_score(model, X, y, cv=10, scoring="roc_auc").mean())

scores = model.fit(X, y)[-1].instance_scores(model[:-1].transform(X))
print(scores[0])  # one number for each shape of the first molecule

# Images: TileGrid().fit_transform(images) cuts them into bags of tiles;
# mlmi_sklearn.inspection.BagHeatmapDisplay draws the scores where the tiles are.
"""

_SOURCES = (
    "MUSK1: D. Chapman and A. Jain, UCI Machine Learning Repository, "
    "https://doi.org/10.24432/C5ZK5B, CC BY 4.0; Dietterich, Lathrop and Lozano-Pérez, "
    "Artificial Intelligence 89 (1997) 31-71.",
    "Digits: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI "
    "Machine Learning Repository, https://archive.ics.uci.edu/dataset/80, CC BY 4.0, "
    "as it comes with scikit-learn; bags after Ilse, Tomczak and Welling, ICML 2018.",
    "Assumption: Raff and Holt, NeurIPS 2023, https://arxiv.org/abs/2310.17867. MISVC: "
    "Andrews, Tsochantaridis and Hofmann, NIPS 2002. MILES: Chen, Bi and Wang, IEEE "
    "Transactions on Pattern Analysis and Machine Intelligence 28 (2006) 1931-1947.",
    "Intervals: corrected resampled t-test, Nadeau and Bengio, Machine Learning 52 "
    "(2003) 239-281.",
)


def write(settings: Settings) -> Chapter:
    """Run the experiments and write the chapter.

    Parameters
    ----------
    settings : Settings
        One of ``PRESETS``.

    Returns
    -------
    Chapter
        With sections on MUSK1, on bags of digits, on the assumption and on slides.
    """
    sections = (
        musk_section(settings),
        digits_section(settings),
        assumption_section(settings),
        slides_section(settings),
    )
    return Chapter("Multiple-instance learning", _QUESTION, _CODE, sections, _SOURCES)
