"""Pictures through Pillow: png, jpg, webp, tiff, bmp, avif, the first frame of a gif, and heic where pi-heif is
installed, as float32 in [0, 1]."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mmcli.errors import MediaError, MissingError
from mmcli.media import files, limits
from mmcli.media.clips import ImageClip

if TYPE_CHECKING:
    from mmcli.media.door import MediaOptions

FORMATS: tuple[str, ...] = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
ORIENTATION = 0x0112  # EXIF 2.32, table 4


def read(path: Path, options: MediaOptions) -> ImageClip:
    """The clip of a picture: upright (EXIF orientation applied), alpha laid over black, grey kept grey, 16 bit in
    scale.

    A truncated picture, one with more than ``limits.MAX_IMAGE_PIXELS``, one that unpacks to far more than its
    size (:func:`limits.image_values`), and any other format are refused before they are decoded. Raises
    :class:`MissingError` for heic without the extra that reads it.
    """
    from PIL import Image, UnidentifiedImageError

    first = files.head(path)
    files.refuse_foreign(path, "image", ("image",), first)
    formats = FORMATS
    if files.container(first) == "heif" and first[8:12] != b"avif":
        _learn_heif(path)
        formats = ("HEIF",)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parts that are passed over
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=formats) as picture:
                width, height = picture.size
                if width * height > limits.MAX_IMAGE_PIXELS:
                    most = f"{limits.MAX_IMAGE_PIXELS:,}"
                    raise MediaError(f"has {width} x {height} pixels, more than the {most} allowed", source=path)
                channels = 1 if picture.mode in ("1", "L", "I", "F") or picture.mode.startswith("I;16") else 3
                if picture.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in picture.info:
                    channels = 5  # laid over black: the pixels with their alpha beside the result
                if width * height * channels > limits.image_values(path.stat().st_size):
                    raise MediaError(
                        f"unpacks to {width} x {height} pixels of {picture.mode}, far more than its size: refused",
                        source=path,
                    )
                picture.load()
                turn = _orientation(picture)
                pixels = _floats(picture, path)
    except UnidentifiedImageError as error:
        raise MediaError("is no png, jpg, webp, gif, tiff, bmp, avif or heic", source=path) from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise MediaError(f"declares too many pixels: {error}", source=path) from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise MediaError(f"is damaged or truncated: {error}", source=path) from error
    except (struct.error, OverflowError, MemoryError, ZeroDivisionError, RuntimeError) as error:
        raise MediaError(f"is damaged: {error or type(error).__name__}", source=path) from error
    return ImageClip(name=path.name, path=path, pixels=_upright(pixels, turn))


def _learn_heif(path: Path) -> None:
    """Teach Pillow to open heic. The picture is turned and cropped as its boxes say; an EXIF orientation means nothing
    there (ISO 23008-12, 6.5.10)."""
    try:
        import pi_heif
    except ImportError as problem:
        raise MissingError(
            "is a heic picture, and pi_heif is not installed", source=path, hint="pip install 'mmcli[heic]'"
        ) from problem
    pi_heif.register_heif_opener(thumbnails=False)


def _floats(picture: Any, path: Path) -> NDArray[np.float32]:
    """The pixels ``(h, w, 1 or 3)`` in [0, 1]."""
    mode = picture.mode
    if mode.startswith("I;16") or mode == "I":
        return _scaled(np.asarray(picture), 65535)[:, :, None]
    if mode == "F":
        raise MediaError("holds floating point pixels without a scale", source=path)
    has_alpha = mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in picture.info
    grey = mode in ("1", "L", "LA", "La")
    if has_alpha:
        data = _scaled(np.asarray(picture.convert("RGBA")), 255)
        pixels = data[:, :, :3] * data[:, :, 3:]
        return np.ascontiguousarray(pixels[:, :, :1] if grey else pixels)
    data = _scaled(np.asarray(picture.convert("L" if grey else "RGB")), 255)
    return data[:, :, None] if grey else data


def _scaled(values: NDArray[Any], whole: int) -> NDArray[np.float32]:
    """Whole numbers as float32 in [0, 1], in place: a copy of a picture costs as much as the division."""
    data = values.astype(np.float32)
    data /= np.float32(whole)
    return data if whole == 255 else data.clip(0.0, 1.0, out=data)


def _orientation(picture: Any) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or it makes no sense."""
    value = picture.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(pixels: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """The picture as it should be seen: the stored rows and columns turned and mirrored back.

    >>> _upright(np.array([[[1.0], [2.0]]], np.float32), 6)[:, :, 0].tolist()
    [[1.0], [2.0]]
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
