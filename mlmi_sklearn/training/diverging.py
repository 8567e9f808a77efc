"""What is said when training diverges."""

from __future__ import annotations

from ..exceptions import TrainingDivergedError

__all__ = ["diverged_error"]


def diverged_error(epoch: int, step: int) -> TrainingDivergedError:
    """Return the error that says where training diverged, and what to do."""
    return TrainingDivergedError(
        f"Training diverged: the loss became NaN or infinite in epoch {epoch}, step "
        f"{step}. Try a smaller lr, scale the inputs (StandardScaler), check X and y "
        "for extreme values, or clip gradients "
        "(callbacks=[skorch.callbacks.GradientNormClipping(1.0)]).",
        epoch,
        step,
    )
