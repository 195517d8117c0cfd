"""Photographs made for the tests: Fashion-MNIST's garments on a cloth, and one file of every kind."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFilter

from fmnist_utils import data

CLOTH = (40, 90, 160)  # what the garments lie on, and the colour of the light on them
LIGHT = (1.0, 0.95, 0.85)
GOOD = (
    *("plain", "JPEG", "CMYK", "16 bits", "transparent", "turned by a tag", "animated", "palette", "TIFF"),
    *("WebP", "grey", "wrong ending"),
)
BAD = {
    "empty": "is empty (0 bytes)",
    "text": "is no picture",
    "cut off": "is damaged",
    "broken": "is damaged",
    "announces billions": "is too large",
    "missing": "is missing",
    "folder": "is a folder without pictures",
}


def garments(real: data.FashionMNIST, each: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``each`` training images of every class: uint8, (n, 28, 28), and their labels."""
    positions = [np.flatnonzero(real.train.labels == label)[:each] for label in range(10)]
    chosen = np.concatenate(positions)
    return real.train.images[chosen], real.train.labels[chosen]


def photograph(garment: np.ndarray) -> Image.Image:
    """A garment of Fashion-MNIST's, uint8, (28, 28), as if it lay on a cloth: in colour, 308 x 308 pixels."""
    large = np.pad(np.asarray(Image.fromarray(garment).resize((224, 224), Image.Resampling.BICUBIC)), 42)
    bright = (255 - large[..., None].astype(float)) * LIGHT
    picture = Image.fromarray(np.where(large[..., None] > 8, bright, CLOTH).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(1))


def one_colour(path: Path, side: int) -> Path:
    """A PNG of ``side`` x ``side`` pixels in one colour, a small file however large the picture is."""
    row, packer = b"\0" + bytes(CLOTH) * side, zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    path.write_bytes(_png(side, packed))
    return path


def _png(side: int, packed: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = b"IHDR" + header, b"IDAT" + packed, b"IEND"
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


def write_kinds(garment: np.ndarray, folder: Path) -> dict[str, Path]:
    """A file of each kind of ``GOOD`` and ``BAD``, all of one garment; a path for each, by its kind."""
    picture = photograph(garment)
    paths = {kind: folder / f"{kind}.png" for kind in (*GOOD, *BAD)}
    for kind, ending in {"JPEG": "jpg", "CMYK": "jpg", "turned by a tag": "jpg", "animated": "gif"}.items():
        paths[kind] = folder / f"{kind}.{ending}"
    paths |= {"TIFF": folder / "TIFF.tif", "WebP": folder / "WebP.webp", "cut off": folder / "cut off.jpg"}
    for kind in ("plain", "JPEG", "TIFF", "WebP"):
        picture.save(paths[kind], quality=95)
    picture.convert("CMYK").save(paths["CMYK"], quality=95)
    grey = picture.convert("L")
    grey.save(paths["grey"])
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(paths["16 bits"])
    _cut_out(picture).save(paths["transparent"])
    tag = Image.Exif()
    tag[ExifTags.Base.Orientation] = 6  # the camera was held upright
    picture.transpose(Image.Transpose.ROTATE_90).save(paths["turned by a tag"], exif=tag, quality=95)
    blank = Image.new("RGB", picture.size)
    picture.save(paths["animated"], save_all=True, append_images=[blank, blank])
    picture.quantize(64).save(paths["palette"])
    picture.save(paths["wrong ending"], "JPEG", quality=95)
    _write_bad(paths, picture)
    return paths


def _cut_out(picture: Image.Image) -> Image.Image:
    """The garment alone, on nothing."""
    pixels = np.asarray(picture)
    far = np.abs(pixels.astype(int) - CLOTH).sum(axis=2) > 60
    return Image.fromarray(np.dstack([pixels, far.astype(np.uint8) * 255]))


def _write_bad(paths: dict[str, Path], picture: Image.Image) -> None:
    whole = io.BytesIO()
    picture.save(whole, "JPEG")
    paths["empty"].touch()
    paths["text"].write_text("three shirts, washed", encoding="utf-8")
    paths["cut off"].write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    paths["broken"].write_bytes(_png(100, os.urandom(1_000)))
    paths["announces billions"].write_bytes(_png(60_000, zlib.compress(b"")))
    paths["folder"].mkdir()
