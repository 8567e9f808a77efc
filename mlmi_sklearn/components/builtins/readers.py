"""What opens files of images."""

from __future__ import annotations

from ..hookspecs import Register, hookimpl

__all__ = ["mlmi_register_slide_readers"]

_SUFFIXES = (".npy", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")


@hookimpl
def mlmi_register_slide_readers(register: Register) -> None:
    """Register what reads images without a slide library."""
    register(
        "image",
        "mlmi_sklearn.preprocessing.slides:image_slide",
        summary="Images that NumPy, scikit-image or Pillow can read.",
        tags={"suffixes": _SUFFIXES},
    )
