"""Meta-learning: a new task from a few rows, and what its plain rivals make of it."""

from __future__ import annotations

from ...content import Chapter
from .characters import characters_section
from .patients import patients_section
from .settings import PRESETS, Settings
from .sinusoids import sinusoids_section

__all__ = ["PRESETS", "write"]

_QUESTION = """\
A new scanner, a new patient, a class with five examples: too little to train a net, \
and yet there are many others of the kind. Meta-learning practises on them how to \
learn from little. Does it pay, beside ordinary training on the others and a few more \
steps, and beside methods that look at the new task alone?"""

_CODE = """\
from mlmi_sklearn import ProtoNetClassifier
from mlmi_sklearn.datasets import load_omniglot_small
from mlmi_sklearn.model_selection import few_shot_score

known, new = (load_omniglot_small(subset=part) for part in ("train", "test"))

# Practise on 713 characters ...
meta = ProtoNetClassifier(max_epochs=1, episodes_per_epoch=50, random_state=0)
meta.fit(known.data, known.target)

# ... learn new ones from a few drawings each ...
support = [k for k in range(100) if k % 20 < 5]  # 5 drawings of 5 characters
model = meta.adapt(new.data[support], new.target[support])
print(model.score(new.data[:100], new.target[:100]))

# ... and how well does that go, over many such tasks?
print(few_shot_score(meta, new.data, new.target, n_shot=5, n_episodes=50))
"""

_SOURCES = (
    "Omniglot: B. M. Lake, R. Salakhutdinov and J. B. Tenenbaum, Science 350 (2015) "
    "1332-1338, https://github.com/brendenlake/omniglot, MIT licence.",
    "Parkinson's telemonitoring: A. Tsanas and M. Little, UCI Machine Learning "
    "Repository, https://doi.org/10.24432/C5ZS3N, CC BY 4.0; Tsanas et al., IEEE "
    "Transactions on Biomedical Engineering 57 (2010) 884-893.",
    "MAML, its sinusoids and its protocols: Finn, Abbeel and Levine, ICML 2017, "
    "https://arxiv.org/abs/1703.03400. Prototypical networks: Snell, Swersky and "
    "Zemel, NeurIPS 2017, https://arxiv.org/abs/1703.05175. Fine-tuning as a rival: "
    "Chen et al., ICLR 2019, https://arxiv.org/abs/1904.04232.",
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
        With sections on characters, on sinusoids and on patients.
    """
    sections = (
        characters_section(settings),
        sinusoids_section(settings),
        patients_section(settings),
    )
    return Chapter("Meta-learning", _QUESTION, _CODE, sections, _SOURCES)
