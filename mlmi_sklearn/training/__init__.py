"""Training: tensor batches, the lean skorch net, devices, seeds and callbacks."""

from .batches import TensorBatches, batch_bounds
from .data import Targets, TensorRows, TrainingData
from .device import resolve_device, resolve_dtype, resolve_precision
from .losslog import weighted_mean
from .net import LeanNet, StopTraining
from .ragged import RaggedTensor
from .seeding import borrowed_generator, generator_on_cpu

__all__ = [
    "LeanNet",
    "RaggedTensor",
    "StopTraining",
    "Targets",
    "TensorBatches",
    "TensorRows",
    "TrainingData",
    "batch_bounds",
    "borrowed_generator",
    "generator_on_cpu",
    "resolve_device",
    "resolve_dtype",
    "resolve_precision",
    "weighted_mean",
]
