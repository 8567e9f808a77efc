"""Conditional generation: samples for a condition, judged beside real ones."""

from __future__ import annotations

from ...content import Chapter
from .balance import balance_section
from .phantom import phantom_section
from .settings import PRESETS, Settings
from .xrays import xrays_section

__all__ = ["PRESETS", "write"]

_QUESTION = """\
A generator learns to draw samples like those it is shown, for a condition that one \
asks for: pictures of a class, or what a probe sees at a place where it has not been. \
Are the samples of use? Are they copies? Do they help where a class is rare? Losses of \
training do not tell; here, all is measured beside real data and simple rivals."""

_CODE = """\
from mlmi_sklearn import CGANSampler
from mlmi_sklearn.datasets import load_pneumonia_xray
from mlmi_sklearn.metrics import evaluate_synthetic, memorisation_report

train, test = (load_pneumonia_xray(subset=part) for part in ("train", "test"))

# Rows of pixels; images of shape (n, 1, 28, 28) get a convolutional generator.
model = CGANSampler(max_iter=1000, ema=0.99, random_state=0)
model.fit(train.data, train.target)

# 100 pictures with pneumonia, and pictures of the classes of those to train on.
ill, _ = model.sample(100, y=1)
drawn, target = model.sample(y=train.target, random_state=0)

# Are they of use, and new? Each number beside that of real pictures.
data = train.data, train.target, test.data, test.target, drawn, target
print(evaluate_synthetic(*data, metrics=["tstr", "coverage", "dcr"]))
print(memorisation_report(train.data, drawn, test.data).verdict)
"""

_SOURCES = (
    "Chest X-rays: PneumoniaMNIST of MedMNIST, Yang et al., Scientific Data 10 (2023) "
    "41, https://medmnist.com, CC BY 4.0; Kermany et al., Cell 172 (2018) 1122-1131.",
    "The phantom is made by the library, after the idea of Hu et al., Freehand "
    "ultrasound image simulation with spatially-conditioned generative adversarial "
    "networks, 2017, https://arxiv.org/abs/1707.05392.",
    "Conditional adversarial nets: Goodfellow et al., NeurIPS 2014, "
    "https://arxiv.org/abs/1406.2661; Mirza and Osindero, 2014, "
    "https://arxiv.org/abs/1411.1784; the penalty that keeps them stable: Mescheder, "
    "Geiger and Nowozin, ICML 2018, https://arxiv.org/abs/1801.04406.",
    "SMOTE: Chawla et al., Journal of Artificial Intelligence Research 16 (2002) "
    "321-357. Coverage: Naeem et al., ICML 2020, https://arxiv.org/abs/2002.09797.",
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
        With sections on X-rays, on a rare class and on a phantom.
    """
    sections = (
        xrays_section(settings),
        balance_section(settings),
        phantom_section(settings),
    )
    return Chapter("Conditional generation", _QUESTION, _CODE, sections, _SOURCES)
