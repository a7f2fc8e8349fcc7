"""Pictures: every mode in one scale, upright, damage refused."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmcli.errors import MediaError, MissingError
from mmcli.media import ImageClip, limits, modality_of, open_clip

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "pictures"


def pixels(path):
    clip = open_clip(path, "image")
    assert isinstance(clip, ImageClip)
    assert clip.pixels.dtype == np.float32
    return clip.pixels


def ramp(height=12, width=20, channels=3):
    data = np.arange(height * width * channels) * 7 % 256
    return data.reshape(height, width, channels).astype(np.uint8)


@pytest.mark.parametrize(("suffix", "options"), [("png", {}), ("webp", {"lossless": True})])
def test_lossless_colour_comes_back_exactly(tmp_path, suffix, options):
    Image.fromarray(ramp()).save(tmp_path / f"a.{suffix}", **options)

    assert np.array_equal(pixels(tmp_path / f"a.{suffix}"), ramp().astype(np.float32) / np.float32(255))


def test_lossy_colour_comes_back_nearly(tmp_path):
    smooth = np.broadcast_to(np.linspace(0, 255, 64)[None, :, None], (48, 64, 3)).astype(np.uint8)
    for suffix in ("jpg", "webp"):
        Image.fromarray(smooth).save(tmp_path / f"a.{suffix}", quality=90)
        assert np.abs(pixels(tmp_path / f"a.{suffix}") - smooth / 255).max() < 0.05


def test_grey_stays_one_channel_in_8_and_16_bit(tmp_path):
    grey = ramp(channels=1)[:, :, 0]
    Image.fromarray(grey).save(tmp_path / "g.png")
    deep = np.array([[0, 1, 256], [32768, 65534, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "d.png")

    assert np.array_equal(pixels(tmp_path / "g.png")[:, :, 0], grey / np.float32(255))
    assert pixels(tmp_path / "d.png")[:, :, 0] == pytest.approx(deep / 65535, abs=1e-7)


def test_the_first_frame_of_a_gif_and_one_bit_and_palette_pictures(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(ramp()[:, :, 0] > 100).save(tmp_path / "bit.png")

    assert pixels(tmp_path / "a.gif")[0, 0].tolist() == [1.0, 0.0, 0.0]
    assert set(np.unique(pixels(tmp_path / "bit.png"))) == {0.0, 1.0}


def test_alpha_is_laid_over_black(tmp_path):
    Image.new("RGBA", (4, 4), (255, 100, 0, 51)).save(tmp_path / "a.png")
    Image.new("LA", (4, 4), (200, 0)).save(tmp_path / "la.png")

    assert pixels(tmp_path / "a.png")[0, 0] == pytest.approx([0.2, 100 / 255 * 0.2, 0.0], abs=1e-6)
    assert pixels(tmp_path / "la.png").shape == (4, 4, 1)
    assert pixels(tmp_path / "la.png").max() == 0.0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_undone(tmp_path, orientation):
    """The eight ways to store a picture (EXIF 2.32) all show the same one; Pillow's own turn is the second opinion."""
    from PIL import ImageOps

    stored = Image.fromarray(ramp())
    exif = stored.getexif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "o.png", exif=exif)
    with Image.open(tmp_path / "o.png") as again:
        expected = np.asarray(ImageOps.exif_transpose(again))

    assert np.array_equal(pixels(tmp_path / "o.png"), expected.astype(np.float32) / np.float32(255))


def test_too_many_pixels_are_refused_before_decoding(tmp_path, monkeypatch):
    Image.new("L", (3000, 2000)).save(tmp_path / "big.png")
    monkeypatch.setattr(limits, "MAX_IMAGE_PIXELS", 5_000_000)
    with pytest.raises(MediaError, match=r"3000 x 2000 pixels, more than the 5,000,000"):
        pixels(tmp_path / "big.png")


def test_a_decompression_bomb_is_an_error_not_a_warning(tmp_path):
    Image.new("1", (20000, 10000)).save(tmp_path / "bomb.png")
    with pytest.raises(MediaError, match="too many pixels"):
        pixels(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_a_truncated_picture_is_refused(tmp_path, suffix):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(tmp_path / f"a.{suffix}")
    data = (tmp_path / f"a.{suffix}").read_bytes()
    for part in (0.3, 0.6, 0.9):
        (tmp_path / f"t.{suffix}").write_bytes(data[: int(len(data) * part)])
        with pytest.raises(MediaError):
            pixels(tmp_path / f"t.{suffix}")


def test_other_formats_are_refused_whatever_their_name(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.ppm")
    (tmp_path / "a.ppm").rename(tmp_path / "a.png")
    with pytest.raises(MediaError, match="no png, jpg, webp, gif, tiff, bmp, avif or heic"):
        pixels(tmp_path / "a.png")


@pytest.fixture
def heic(tmp_path):
    for name in ("quadrants", "grey"):
        (tmp_path / f"{name}.heic").write_bytes((GOLDEN / f"{name}.heic").read_bytes())
    return tmp_path


def test_heic_of_a_telephone_is_read(heic):
    pytest.importorskip("pi_heif")
    colour, grey = pixels(heic / "quadrants.heic"), pixels(heic / "grey.heic")

    assert colour.shape == (32, 48, 3)
    assert grey.shape == (32, 48, 1)
    corners = colour[[4, 4, -5, -5], [4, -5, 4, -5]]
    assert np.abs(corners - [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]).max() < 0.05
    assert modality_of(heic / "quadrants.heic") == "image"


def test_damaged_heic_ends_in_one_line(heic):
    pytest.importorskip("pi_heif")
    data = (heic / "quadrants.heic").read_bytes()
    for cut in (40, 200, len(data) - 30):
        (heic / "a.heic").write_bytes(data[:cut])
        with pytest.raises(MediaError):
            open_clip(heic / "a.heic", "image")


def test_heic_without_its_extra_says_what_to_install(heic, monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)

    with pytest.raises(MissingError, match=r"heic picture.*\n.*mmcli\[heic\]"):
        open_clip(heic / "quadrants.heic", "image")
