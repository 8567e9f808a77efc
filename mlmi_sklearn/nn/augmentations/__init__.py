"""Random changes of a batch that a discriminator may not notice.

An augmentation is called as ``(batch, generator) -> batch``. It draws from the given
generator alone, one draw a sample, keeps shape, type and device, and can be
differentiated, so that it can stand between a generator and its discriminator: real and
generated samples are changed alike, and the discriminator of a small data set cannot
learn it by heart (Zhao et al., *Differentiable augmentation for data-efficient GAN
training*, NeurIPS 2020). All operations have second derivatives, too.

Images are (B, C, H, W), volumes (B, C, D, H, W). Strengths are made for intensities
from -1 to 1 and for standardised features.
"""

from __future__ import annotations

from .affine import Rotate, Scale
from .chain import Augmentation, Chain, as_augmentation
from .intensity import Brightness, Contrast, FeatureDropout, Noise
from .spatial import Cutout, Flip, Translation

__all__ = [
    "Augmentation",
    "Brightness",
    "Chain",
    "Contrast",
    "Cutout",
    "FeatureDropout",
    "Flip",
    "Noise",
    "Rotate",
    "Scale",
    "Translation",
    "as_augmentation",
]
