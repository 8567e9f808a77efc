"""How much work the chapter does."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PRESETS", "Settings"]


@dataclass(frozen=True)
class Settings:
    """Sizes of the experiments.

    Parameters
    ----------
    maml_episodes, proto_episodes : int, default=900 and 140
        Episodes that MAML and the prototypical network train on.
    source_epochs : int, default=4
        Epochs of ordinary training before fine-tuning.
    scratch_epochs : int, default=20
        Epochs of a net that begins anew with each task.
    episodes : int, default=60
        New tasks of characters that all methods are judged by, at least 2.
    curves, curve_epochs : int, default=500 and 40
        Sinusoids to learn from, and how often MAML sees each.
    pretraining_epochs : int, default=20
        Epochs of ordinary training on all sinusoids together.
    new_curves : int, default=60
        Sinusoids to be judged by, at least 2.
    points : tuple of int
        Points of a new sinusoid to learn from.
    folds : int, default=3
        Parts of the patients, each held out once.
    patient_epochs : int, default=80
        How often MAML sees each patient.
    pooled_epochs, adapt_epochs : int, default=20 and 50
        Epochs of ordinary training on all patients, and on those of one.
    visits : tuple of int
        Visits of a new patient to learn from, in ascending order, 10 at most.
    """

    maml_episodes: int = 900
    proto_episodes: int = 140
    source_epochs: int = 4
    scratch_epochs: int = 20
    episodes: int = 60
    curves: int = 500
    curve_epochs: int = 40
    pretraining_epochs: int = 20
    new_curves: int = 60
    points: tuple[int, ...] = (5, 10)
    folds: int = 3
    patient_epochs: int = 80
    pooled_epochs: int = 20
    adapt_epochs: int = 50
    visits: tuple[int, ...] = (1, 3, 10)


PRESETS = {
    "full": Settings(),
    "quick": Settings(
        maml_episodes=280,
        proto_episodes=50,
        source_epochs=2,
        episodes=16,
        curves=160,
        curve_epochs=25,
        new_curves=16,
        patient_epochs=20,
        adapt_epochs=10,
    ),
}
