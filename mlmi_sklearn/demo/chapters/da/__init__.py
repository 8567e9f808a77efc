"""Domain adaptation: labels here, data without labels there."""

from __future__ import annotations

from ...content import Chapter
from .digits import digits_section
from .hospitals import hospital_sections
from .lambdas import lambda_section
from .settings import PRESETS, Settings

__all__ = ["PRESETS", "write"]

_QUESTION = """\
A model is trained where labels are, and used where they are not: at another hospital, \
behind another scanner. Domain adaptation trains on unlabelled rows from there too, so \
that the model cannot tell the two apart. When does that help, when does it hurt, and \
how is one to know without labels?"""

_CODE = """\
from mlmi_sklearn import DANNClassifier
from mlmi_sklearn.datasets import make_shifted_digits
from mlmi_sklearn.inspection import DomainDiagnosticsDisplay
from mlmi_sklearn.model_selection import safe_select

# One id a row: at least 0 for sources, below 0 for targets.
X, y, sample_domain = make_shifted_digits("roll", random_state=0)
y_train = y.copy()
y_train[sample_domain < 0] = -1  # labels of the target, if there are any, are not used

model = DANNClassifier(random_state=0).fit(X, y_train, sample_domain)
print(model.adaptation_report_.verdict)
print(model.score(X, y, sample_domain))  # on the target
DomainDiagnosticsDisplay.from_estimator(model, X, y_train, sample_domain)

# Does it pay? Chosen without target labels; the source alone is a candidate.
found = safe_select(
    DANNClassifier(random_state=0), {"lambda_": [0.3]}, X, y_train, sample_domain
)
print(found.verdict)
"""

_SOURCES = (
    "Heart disease: A. Janosi, W. Steinbrunn, M. Pfisterer and R. Detrano, UCI Machine "
    "Learning Repository, https://doi.org/10.24432/C52P4X, CC BY 4.0; Detrano et al., "
    "American Journal of Cardiology 64 (1989) 304-310.",
    "Digits: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI "
    "Machine Learning Repository, https://archive.ics.uci.edu/dataset/80, CC BY 4.0, "
    "as it comes with scikit-learn.",
    "DANN: Ganin et al., Journal of Machine Learning Research 17 (2016), no. 59. MME: "
    "Saito et al., ICCV 2019, https://arxiv.org/abs/1904.06487. Class shares by "
    "expectation maximisation: Saerens, Latinne and Decaestecker, Neural Computation "
    "14 (2002) 21-41. Batch nuclear norm: Cui et al., CVPR 2020, "
    "https://arxiv.org/abs/2003.12237.",
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
        With sections on hospitals, on shifted digits and on choosing lambda.
    """
    sections = (
        *hospital_sections(settings),
        digits_section(settings),
        lambda_section(settings),
    )
    return Chapter("Domain adaptation", _QUESTION, _CODE, sections, _SOURCES)
