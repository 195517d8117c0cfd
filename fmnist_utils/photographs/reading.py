"""Photographs from files, bytes and Pillow's images, whatever their mode, as arrays of red, green and blue."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

LONGEST = 1000  # pixels of the longer side of what is read, at most: a garment needs no more
LIMIT = 120_000_000  # pixels of a picture that is decoded, at most: some kilobytes can announce billions
_WITHOUT_MEANS = ("P", "PA", "I;16", "I;16B", "I;16L")  # modes that Pillow does not average
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")  # ISO 23008-12, annex B
_TURN = Image.Transpose
_UPRIGHT = {  # what undoes each value of the orientation tag (EXIF 2.32, table 4)
    **{2: _TURN.FLIP_LEFT_RIGHT, 3: _TURN.ROTATE_180, 4: _TURN.FLIP_TOP_BOTTOM, 5: _TURN.TRANSPOSE},
    **{6: _TURN.ROTATE_270, 7: _TURN.TRANSVERSE, 8: _TURN.ROTATE_90},
}


class PhotographError(ValueError):
    """A photograph that cannot be read: one line says why."""


def read(source: str | Path | bytes | Image.Image) -> np.ndarray:
    """A photograph upright and in colour, uint8, shape (h, w, 3), its longer side at most ``LONGEST``.

    What is transparent is laid on white, 16-bit grey divided by 257, and the orientation tag obeyed. A JPEG
    is made small while it is decoded, so that one of 100 megapixels takes some megabytes; other formats are
    decoded whole, with 4 bytes a pixel at most, and made small then.

    Args:
        source: a path, a file's bytes, of which the first frame is read if it is an animation, or an image
            of Pillow's, which stays as it is.

    Raises:
        PhotographError: there is no such file, or it is a folder, empty, damaged, no picture, or has more
            than ``LIMIT`` pixels.
    """
    if isinstance(source, Image.Image):
        return _decoded(source, "the picture")
    name, content = ("the picture", source) if isinstance(source, bytes) else (str(source), _content(source))
    if not content:
        raise PhotographError(f"{name} is empty (0 bytes)")
    return _decoded(content, name)


def _content(source: str | Path) -> bytes:
    path = Path(source)
    if path.is_dir():
        raise PhotographError(f"{path} is a folder; expected a picture")
    if not path.is_file():  # to read a pipe may take for ever
        raise PhotographError(f"{path} is missing, or no file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise PhotographError(f"{path} cannot be read ({error.strerror})") from error


def _decoded(source: bytes | Image.Image, name: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # which comes before LIMIT
            image = Image.open(io.BytesIO(source)) if isinstance(source, bytes) else source
            _refuse_large(image.size, name)
            if image is not source:  # to whom it belongs, it would be another
                image.draft(None, (LONGEST, LONGEST))  # JPEG's decoder can give a half, a quarter, an eighth
            image.load()
            return np.array(_upright(image))
    except PhotographError:
        raise
    except Image.DecompressionBombError as error:
        raise PhotographError(f"{name} is too large: more than {LIMIT:,} pixels") from error
    except UnidentifiedImageError as error:
        if isinstance(source, bytes) and source[4:8] == b"ftyp" and source[8:12] in _HEIC:
            raise PhotographError(f"{name} is a HEIC, which cannot be read here; save it as a JPEG") from error
        raise PhotographError(f"{name} is no picture, or of a format that is not known") from error
    except Exception as error:  # whatever Pillow's decoders raise of a damaged file
        fault = " ".join(str(error).split()) or type(error).__name__
        raise PhotographError(f"{name} is damaged ({fault[:200]})") from error


def _refuse_large(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > LIMIT:
        raise PhotographError(f"{name} is too large: {width:,} x {height:,} pixels, more than {LIMIT:,}")


def _upright(image: Image.Image) -> Image.Image:
    small = _in_colour(_reduced(image))
    small.thumbnail((LONGEST, LONGEST))
    turn = _UPRIGHT.get(_orientation(image))
    return small if turn is None else small.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """The tag's value; a TIFF has turned itself when it was decoded, and tells of no orientation any more."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # whatever Pillow raises of damaged tags; the picture may be sound
        return 1


def _reduced(image: Image.Image) -> Image.Image:
    """Made smaller by a whole number, before a change of mode would take memory for all of its pixels."""
    factor = max(image.size) // LONGEST
    if factor < 2:
        return image
    if image.mode == "1":
        image = image.convert("L")
    if image.mode in _WITHOUT_MEANS:
        size = [max(1, side // factor) for side in image.size]
        return image.resize((size[0], size[1]), Image.Resampling.NEAREST)
    return image.reduce(factor)


def _in_colour(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        grey = np.asarray(image, np.float32)
        deep = grey.max() > 255
        image = Image.fromarray(np.clip(grey / 257 if deep else grey, 0, 255).round().astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
