"""Planted near-duplicates across splits are found every time, and clean sets hold none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.evaluation.judge import integrity, near, pictures

COUNT = 40  # items: 24 train, 16 test


def smooth(rng, shape, steps=2):
    """Noise that neighbours share, as pictures and sounds do."""
    values = rng.normal(size=shape)
    for _ in range(steps):
        for axis in (0, 1):
            values = (np.roll(values, 1, axis) + values + np.roll(values, -1, axis)) / 3
    return values / values.std()


def picture(rng):
    """Grey, 24 to 40 pixels a side, 0 to 255."""
    side = int(rng.integers(24, 41))
    return np.clip(128 + 50 * smooth(rng, (side, side)), 0, 255)[:, :, None]


def sound(rng):
    """Frames of 20 log energies."""
    return smooth(rng, (int(rng.integers(60, 120)), 20), steps=3) * 10 - 40


def text(rng):
    """Numbers of words, most of them frequent ones."""
    return rng.zipf(1.3, int(rng.integers(12, 60))).clip(max=2000)[:, None]


def dimmed(rng, values):
    return values * 0.7 + 20


def grainy(rng, values):
    return np.round(values + rng.normal(0, 4, values.shape))


def enlarged(rng, values):
    return values.repeat(2, axis=0).repeat(2, axis=1)


def brightened(rng, values):
    return np.clip(values * 1.25 + 20, 0, 255)


def resaved(rng, values):
    """As JPEG."""
    file = io.BytesIO()
    Image.fromarray(values[:, :, 0].astype(np.uint8)).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file), float)[:, :, None]


def louder(rng, values):
    return values + 12.0


def noisy(rng, values):
    return values + rng.normal(0, 0.15 * values.std(), values.shape)


def cut(rng, values):
    return values[9:]


def delayed(rng, values):
    return np.concatenate([np.full((12, values.shape[1]), -100.0), values])


def one_word_other(rng, values):
    changed = values.copy()
    changed[len(values) // 2] = 7777
    return changed


def shortened(rng, values):
    return values[1:]


CHANGES = {
    "image": (picture, [dimmed, grainy, brightened, resaved]),
    "audio": (sound, [louder, noisy, cut, delayed]),
    "text": (text, [one_word_other, shortened]),
}


def data_of(kind, items):
    """One stream; the first 24 items train, the others test."""
    if kind == "image":
        side = max(v.shape[0] for v in items)
        items = [np.pad(v, ((0, side - len(v)), (0, side - len(v)), (0, 0)), mode="edge")[None] for v in items]
    meta = {"image": ("image", "image"), "audio": ("audio", "spectrogram"), "text": ("text", "tokens")}[kind]
    frames = [len(v) for v in items]
    stream = Stream(
        np.concatenate(items).astype(np.float32),
        np.concatenate([[0], np.cumsum(frames)]).astype(np.int64),
        np.concatenate([np.arange(n, dtype=float) for n in frames]),
        np.ones(len(items), bool),
        meta={"modality": meta[0], "kind": meta[1]},
    )
    ids = [f"i{k}" for k in range(len(items))]
    nothing = [""] * len(items)
    return Dataset({kind: stream}, ids, ["train"] * 24 + ["test"] * (len(items) - 24), nothing)


@pytest.mark.parametrize("kind", list(CHANGES))
@pytest.mark.parametrize("seed", range(5))
def test_planted_copies_are_found_and_nothing_else(kind, seed):
    rng = np.random.default_rng(seed)
    make, changes = CHANGES[kind]
    items = [make(rng) for _ in range(COUNT)]
    assert near.check(data_of(kind, items))["between_splits"] == 0
    if kind == "image":  # of one size, as in a data set
        items = [np.clip(128 + 50 * smooth(rng, (32, 32)), 0, 255)[:, :, None] for _ in range(COUNT)]
    for number, change in enumerate(changes):
        items[24 + number] = change(rng, items[number])
    checked = near.check(data_of(kind, items))
    pairs = {tuple(item["id"] for item in case["items"]) for case in checked["cases"]}
    assert pairs == {(f"i{24 + number}", f"i{number}") for number in range(len(changes))}
    assert checked["streams"] == {kind: 16}


def test_pictures_of_other_sizes_are_the_same_small_copy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a = picture(rng)
        assert pictures.small(a) @ pictures.small(enlarged(rng, a)) > 0.99
        assert pictures.small(a) @ pictures.small(picture(rng)) < 0.9


DRAWN = Path(__file__).parents[3] / "sample_data" / "digits" / "image"
STAMPS = Path(__file__).parents[3] / "sample_data" / "stamps"
PIXELS = 64


def drawn(path, change=lambda picture: picture):
    """A picture of sample_data, changed, at the one size of a data set."""
    with Image.open(path) as file:
        there = Image.new("L", file.size, 255)
        there.paste(file.convert("L"), mask=file.convert("RGBA").getchannel("A"))
    return np.asarray(change(there).resize((PIXELS, PIXELS), Image.Resampling.BILINEAR), float)[:, :, None]


def shrunk(picture):
    return picture.resize((round(picture.width * 0.6), round(picture.height * 0.6)), Image.Resampling.BILINEAR)


def cropped(picture):
    w, h = picture.size
    return picture.crop((round(w * 0.05), round(h * 0.03), w - round(w * 0.02), h - round(h * 0.06)))


def lighter(picture):
    return picture.point(lambda tone: min(255, int(tone * 1.2 + 10)))


@pytest.mark.parametrize("folder", [DRAWN, STAMPS], ids=["drawings", "stamps"])
@pytest.mark.parametrize("change", [shrunk, cropped, lighter], ids=lambda change: change.__name__)
def test_planted_copies_of_drawings_and_photographs_are_found(folder, change):
    paths = sorted(folder.rglob("*.png"))[:COUNT]
    items = [drawn(path) for path in paths]
    before = near.check(data_of("image", items))["between_splits"]
    for number in range(5):
        items[24 + number] = drawn(paths[number], change)
    checked = near.check(data_of("image", items))
    pairs = {tuple(item["id"] for item in case["items"]) for case in checked["cases"]}
    assert before == 0
    assert pairs == {(f"i{24 + number}", f"i{number}") for number in range(5)}


def test_short_and_stock_sentences_are_no_copies():
    rng = np.random.default_rng(1)
    stock = [rng.integers(0, 50, 6)[:, None] for _ in range(4)]
    assert near.check(data_of("text", [stock[k % 4] for k in range(COUNT)]))["between_splits"] == 0
    stock = [rng.integers(0, 50, 14)[:, None] for _ in range(4)]
    assert near.check(data_of("text", [stock[k % 4] for k in range(COUNT)]))["between_splits"] == 0


def test_sentences_from_a_stock_are_no_copies_where_some_occur_once():
    rng = np.random.default_rng(4)
    stock = [rng.integers(0, 50, 14)[:, None] for _ in range(60)]
    items = [stock[int(k)] for k in rng.integers(0, 60, COUNT)]
    assert len({i.tobytes() for i in items[:24]}) < 24
    assert near.check(data_of("text", items))["between_splits"] == 0


def test_a_report_says_which_two():
    rng = np.random.default_rng(2)
    items = [sound(rng) for _ in range(COUNT)]
    items[30] = noisy(rng, items[3])
    checked = integrity.check(data_of("audio", items))
    assert checked["clean"], "a person has to judge it"
    (note,) = integrity.notes(checked)
    assert "audio of 'i30' (test) and 'i3' (train)" in note
