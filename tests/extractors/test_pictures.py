"""Image and video extractors against slow twins and planted answers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmcli import extractors
from mmcli.errors import UsageError
from mmcli.extractors import picture
from mmcli.extractors.image import lbp
from mmcli.media.clips import ImageClip, VideoClip

RNG = np.random.default_rng(3)


def test_pixels_have_one_size_and_stay_in_range() -> None:
    module = extractors.load("pixels")
    for shape in ((5, 9), (300, 200, 3), (1, 1)):
        for fit in ("stretch", "crop", "pad"):
            found = module.extract(ImageClip.from_array(RNG.random(shape)), module.Config(fit=fit, width=20, height=10))
            assert found.values.shape == (1, 10, 20, 3)
            assert 0.0 <= found.values.min() <= found.values.max() <= 1.0


def test_crop_keeps_the_middle_and_pad_keeps_all() -> None:
    wide = np.zeros((10, 30), np.float32)
    wide[:, 10:20] = 1.0  # the middle third
    config = picture.PictureConfig(width=10, height=10, fit="crop")
    assert picture.sized(wide[:, :, None], config).min() == 1.0
    padded = picture.sized(wide[:, :, None], picture.PictureConfig(width=30, height=30, fit="pad"))
    assert padded.sum() == pytest.approx(100.0)


@pytest.mark.parametrize("size", [(7, 5), (64, 64), (20, 90), (33, 1)])
def test_resizing_equals_pillow(size: tuple[int, int]) -> None:
    from PIL import Image

    plane = RNG.random((41, 53)).astype(np.float32)
    width, height = size
    for fit, box in (("stretch", None), ("crop", crop_box(53, 41, width, height))):
        found = picture.sized(plane[:, :, None], picture.PictureConfig(width=width, height=height, fit=fit))
        wanted = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR, box=box))
        assert np.abs(found[:, :, 0] - wanted).max() < 2e-3 if box else 1e-5


def crop_box(width: int, height: int, to_width: int, to_height: int) -> tuple[float, float, float, float]:
    scale = max(to_width / width, to_height / height)
    w, h = to_width / scale, to_height / scale
    return (width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2


def test_imagenet_normalisation_is_undone_by_its_inverse() -> None:
    module = extractors.load("pixels")
    clip = ImageClip.from_array(RNG.random((64, 64, 3)))
    plain = module.extract(clip).values
    scaled = module.extract(clip, module.Config(normalise="imagenet")).values
    assert np.allclose(scaled * [0.229, 0.224, 0.225] + [0.485, 0.456, 0.406], plain, atol=1e-6)
    with pytest.raises(UsageError):
        module.Config(normalise="imagenet", color="grey")


def slow_hog(image: np.ndarray, cell: int, block: int, n: int) -> np.ndarray:
    """Pixel by pixel, vote by vote."""
    height, width = image.shape
    rows, columns = height // cell, width // cell
    cells = np.zeros((rows, columns, n))
    for y in range(rows * cell):
        for x in range(columns * cell):
            dx = float(image[y, x + 1]) - float(image[y, x - 1]) if 0 < x < width - 1 else 0.0
            dy = float(image[y + 1, x]) - float(image[y - 1, x]) if 0 < y < height - 1 else 0.0
            place = (math.atan2(dy, dx) % math.pi) / math.pi * n - 0.5
            low = math.floor(place)
            length = math.hypot(dx, dy)
            cells[y // cell, x // cell, low % n] += length * (1 - (place - low))
            cells[y // cell, x // cell, (low + 1) % n] += length * (place - low)
    found = []
    for r in range(rows - block + 1):
        for c in range(columns - block + 1):
            v = cells[r : r + block, c : c + block].ravel()
            v = v / math.sqrt(float((v**2).sum()) + 1e-10)
            v = np.minimum(v, 0.2)
            found.append(v / math.sqrt(float((v**2).sum()) + 1e-10))
    return np.concatenate(found)


def test_hog_equals_its_slow_twin() -> None:
    module = extractors.load("hog")
    image = RNG.random((24, 32)).astype(np.float32)
    config = module.Config(width=32, height=24, cell=5, block=2, orientations=7)
    found = module.extract(ImageClip.from_array(image), config).values[0]
    assert np.allclose(found, slow_hog(image, 5, 2, 7), atol=1e-5)


def test_hog_knows_the_direction_of_an_edge() -> None:
    module = extractors.load("hog")
    edge = np.zeros((64, 64), np.float32)
    edge[:, 30:] = 1.0
    found = module.extract(ImageClip.from_array(edge)).values.reshape(-1, 9).sum(axis=0)
    assert set(np.argsort(found)[-2:]) == {0, 8}  # gradients along x: 0 degrees lies between the first and last bin


def test_lbp_codes_equal_their_slow_twin() -> None:
    image = RNG.integers(0, 4, (9, 11)).astype(np.float32)
    around = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
    found = lbp.codes(image)
    for y in range(1, 8):
        for x in range(1, 10):
            bits = [int(image[y + dy, x + dx] >= image[y, x]) for dy, dx in around]
            assert found[y - 1, x - 1] == sum(bit << i for i, bit in enumerate(bits))


def test_lbp_does_not_see_brightness() -> None:
    module = extractors.load("lbp")
    image = (RNG.random((64, 64)) * 0.5).astype(np.float32)
    one, two = (module.extract(ImageClip.from_array(i)).values for i in (image, image * np.float32(1.5)))
    assert np.array_equal(one, two)
    assert one.sum() == pytest.approx(16.0)


def test_colours_are_counted() -> None:
    module = extractors.load("color")
    for channel, hue in ((0, 0), (1, 1), (2, 2)):
        picture = np.zeros((10, 10, 3), np.float32)
        picture[:, :, channel] = 0.8
        found = module.extract(ImageClip.from_array(picture), module.Config(grid=1, hues=3)).values[0]
        assert found[:3].argmax() == hue
        assert found[11 + channel] == pytest.approx(0.8)


def shifted(step: int) -> VideoClip:
    """A smooth texture that moves ``step`` pixels to the right each frame."""
    x, y = np.meshgrid(np.arange(64), np.arange(64))
    frames = []
    for i in range(4):
        wave = np.sin((x - step * i) / 5.0) + np.cos(y / 7.0)
        frames.append(np.repeat((127 + 60 * wave)[:, :, None], 3, axis=2).astype(np.uint8))
    return VideoClip.from_array(np.array(frames), 10.0)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_flow_finds_a_planted_movement(step: int) -> None:
    module = extractors.load("motion")
    found = module.extract(shifted(step), module.Config(method="flow", grid=2)).values
    assert found.shape == (4, 8)
    assert np.allclose(found[1:, :4] * 64, step, atol=0.15)
    assert np.allclose(found[1:, 4:] * 64, 0, atol=0.15)


def test_frames_apply_any_image_extractor_and_keep_presentation_times() -> None:
    module = extractors.load("frames")
    clip = VideoClip.from_array(RNG.integers(0, 256, (30, 40, 50, 3)).astype(np.uint8), 10.0)
    config = module.Config(rate=5.0, image="hog", settings="cell=16,block=1")
    found = module.extract(clip, config)
    assert found.meta["kind"] == "sequence"
    assert np.allclose(np.diff(found.times), 0.2)
    one = extractors.load("hog")
    frame = next(iter(clip.frames()))[1]
    alone = one.extract(ImageClip.from_array(frame), one.Config(cell=16, block=1))
    assert np.array_equal(found.values[0], alone.values[0])


@pytest.mark.parametrize("settings", ["cell", "cel=4", "cell=x", "cell=0"])
def test_settings_of_an_inner_extractor_are_checked(settings: str) -> None:
    with pytest.raises(UsageError):
        extractors.load("frames").Config(image="hog", settings=settings)


@pytest.mark.parametrize("size", [(360, 640), (37, 500), (500, 37), (8, 8)])
def test_a_picture_that_shrinks_a_lot_is_the_whole_product(size: tuple[int, int]) -> None:
    """Over the points with a weight alone: the same up to the rounding of float32."""
    pixels = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    found = picture.sized(pixels, picture.PictureConfig(width=16, height=16))
    down = picture.triangles(size[0], 16, 0.0, float(size[0])).astype(np.float64)
    across = picture.triangles(size[1], 16, 0.0, float(size[1])).astype(np.float64)
    wanted = np.einsum("ij,jkc,lk->ilc", down, pixels.astype(np.float64), across)
    assert np.abs(found - wanted).max() < 2e-6
