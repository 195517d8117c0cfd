"""Files of all kinds are read as what they show, and what is no picture is refused in one plain line."""

import io
import os

import numpy as np
import pytest
from PIL import ExifTags, Image, JpegImagePlugin

from fmnist_utils.photographs import reading
from fmnist_utils.photographs.reading import PhotographError, read

GREYS = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
# What the six greys look like upright, if the camera was held as the tag says.
UPRIGHT = {
    **{1: GREYS, 2: GREYS[:, ::-1], 3: GREYS[::-1, ::-1], 4: GREYS[::-1]},
    **{5: GREYS.T, 6: GREYS[::-1].T, 7: GREYS[::-1, ::-1].T, 8: GREYS.T[::-1]},
}


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tagged(orientation):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags


@pytest.fixture
def picture():
    """Four colours in a square each, 60 x 40."""
    colours = np.array([[[200, 30, 40], [30, 160, 60]], [[40, 60, 200], [230, 220, 90]]], np.uint8)
    return Image.fromarray(colours.repeat(20, axis=0).repeat(30, axis=1))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "MPO"])
def test_a_picture_is_read_from_each_format(kind, picture):
    found = read(saved(picture, kind))
    assert found.shape == (40, 60, 3) and found.dtype == np.uint8
    assert np.abs(found[5:15, 5:25].astype(int) - picture.getpixel((10, 10))).max() < 25


@pytest.mark.parametrize(("mode", "kind"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "PNG"), ("RGBA", "PNG")])
def test_a_picture_is_read_in_each_mode_of_colour(mode, kind, picture):
    converted = picture.quantize(4) if mode == "P" else picture.convert(mode)
    found = read(saved(converted, kind)).astype(int)
    assert np.abs(found - np.asarray(picture)).mean() < 5


@pytest.mark.parametrize("mode", ["L", "1", "LA", "I;16", "F"])
def test_grey_is_grey_in_each_mode(mode):
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 5), 51_400, np.uint16))
    else:
        image = Image.new("L", (5, 4), 255 if mode == "1" else 200).convert(mode)
    found = read(saved(image, "TIFF"))
    assert found.shape == (4, 5, 3) and np.unique(found).tolist() == [255 if mode == "1" else 200]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_is_white(mode):
    image = Image.new("LA", (2, 1), (0, 0))
    image.putpixel((1, 0), (0, 255))
    found = read(saved(image.convert(mode), "PNG"))
    assert found.tolist() == [[[255] * 3, [0] * 3]]


def test_a_transparent_colour_of_a_palette_is_white():
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([9, 9, 9, 80, 90, 100])
    assert read(saved(image, "PNG", transparency=0)).tolist() == [[[255] * 3, [80, 90, 100]]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_the_orientation_tag_is_obeyed(orientation, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    found = read(saved(Image.fromarray(GREYS).convert("RGB"), kind, exif=tagged(orientation), **options))
    assert np.array_equal(found[..., 0], UPRIGHT[orientation])


def test_damaged_tags_do_not_matter(picture):
    assert read(saved(picture, "JPEG", exif=b"Exif\0\0no tags at all")).shape == (40, 60, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_is_read(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("white", "black")]
    assert read(saved(frames[0], kind, save_all=True, append_images=frames[1:])).min() > 250


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "JPEG"), ("P", "PNG"), ("I;16", "PNG"), ("1", "PNG")])
def test_a_large_picture_is_made_small(mode, kind):
    found = read(saved(Image.new(mode, (3000, 2000), 0), kind))
    assert max(found.shape) <= reading.LONGEST
    assert found.shape[1] / found.shape[0] == pytest.approx(1.5, rel=0.01)


def test_a_long_strip_keeps_a_pixel_of_its_width():
    assert read(Image.new("RGB", (9_000, 1))).shape == (1, reading.LONGEST, 3)


def test_a_large_jpeg_is_made_small_while_it_is_decoded(monkeypatch):
    content = saved(Image.new("RGB", (9_600, 8_400)), "JPEG")
    decoded, load = [], JpegImagePlugin.JpegImageFile.load
    monkeypatch.setattr(
        JpegImagePlugin.JpegImageFile, "load", lambda image: (decoded.append(image.size), load(image))[1]
    )
    assert max(read(content).shape) <= reading.LONGEST
    assert decoded and max(max(size) for size in decoded) <= 2 * reading.LONGEST


def test_a_path_its_bytes_and_an_open_image_are_the_same(picture, tmp_path):
    path = tmp_path / "photograph.png"
    picture.save(path)
    with Image.open(path) as opened:
        found = [read(path), read(str(path)), read(path.read_bytes()), read(opened)]
    assert all(np.array_equal(each, np.asarray(picture)) for each in found)


def test_an_open_image_stays_as_it_is():
    with Image.open(io.BytesIO(saved(Image.new("RGB", (3000, 2000)), "JPEG", exif=tagged(6)))) as opened:
        assert read(opened).shape[0] == reading.LONGEST
        assert opened.size == (3000, 2000) and opened.getexif()[ExifTags.Base.Orientation] == 6


def refused(source, *words):
    with pytest.raises(PhotographError) as caught:
        read(source)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_what_is_no_file_is_refused(tmp_path):
    refused(tmp_path / "none.jpg", "none.jpg", "missing")
    refused(tmp_path, "folder")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "no file")


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    refused(path, "empty.jpg", "0 bytes")
    refused(b"", "0 bytes")


def test_what_is_no_picture_is_refused():
    refused(b"%PDF-1.7 and so on", "no picture")


def test_of_a_telephones_heic_it_is_said_what_to_do():
    refused(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "HEIC", "JPEG")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_a_broken_picture_is_refused(kind, picture):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    content = saved(noise, kind)
    refused(content[: len(content) // 2], "damaged")


@pytest.mark.parametrize("side", [11_000, 20_000])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(side):
    refused(saved(Image.new("1", (side, side)), "PNG"), "too large", f"{reading.LIMIT:,}")
