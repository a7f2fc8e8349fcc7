"""What a page shows of items: a picture of every row, one scale for all explanations, drawings that turn dark."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import manifest
from mmcli.evaluation.report import marks, media, page, plots

from ...browser import browser
from .test_page import explained_report, report_of

CLIP = Path(__file__).resolve().parents[3] / "sample_data" / "clip" / "bunny.mp4"


def manifest_of(folder: Path, ids: list[str]) -> Path:
    import soundfile
    from PIL import Image

    Image.new("RGB", (300, 100), "red").save(folder / "a.png")
    rising = np.linspace(0, 1, 8000) * np.sin(np.arange(8000))
    soundfile.write(folder / "a.wav", rising, 8000)
    (folder / "broken.wav").write_bytes(b"RIFF nothing")
    shutil.copy(CLIP, folder / "a.mp4")
    cells = ["a.png,a.wav,", ",broken.wav,", ",,a.mp4"]
    lines = [f"{name},{cells[k % 3]}" for k, name in enumerate(ids)]
    (folder / "m.csv").write_text("\n".join(["id,image,audio.logmel,video", *lines]))
    return folder / "m.csv"


def test_every_row_has_small_pictures_of_what_it_is(tmp_path):
    found = report_of()
    items = sorted(found["items"], key=lambda item: -item["loss"])
    small = media.thumbnails(manifest.load(manifest_of(tmp_path, [item["id"] for item in items[:3]])), found)

    picture, sound = small[items[0]["id"]]
    assert "data:image/jpeg" in picture
    heights = [float(y) for y in re.findall(r",([\d.]+)", sound.split('points="')[1])[: marks.BARS]]
    assert heights[0] > heights[20] > heights[40]  # drawn upwards: it grows louder
    assert items[1]["id"] not in small or small[items[1]["id"]] == []
    assert "data:image/jpeg" in small[items[2]["id"]][0]
    html = page.render(found, None, small)
    assert html.count('class="thumb"') == 3


def test_an_explained_film_shows_a_picture_and_its_sound(tmp_path):
    found = explained_report()
    ids = [item["id"] for item in found["items"] if "explanation" in item]
    shutil.copy(CLIP, tmp_path / "a.mp4")
    (tmp_path / "m.csv").write_text("\n".join(["id,video.motion", *(f"{name},a.mp4" for name in ids)]))
    shown, left_out = media.gather(manifest.load(tmp_path / "m.csv"), found)

    assert left_out == []
    assert shown[ids[0]]["video"].startswith("data:image/jpeg")
    assert shown[ids[0]]["audio"].startswith("data:audio")


def test_bars_of_all_items_have_one_scale():
    parts = [{"times": [0.0, 1.0], "values": [0.5, -1.0]}, {"times": [0.0, 1.0], "values": [0.25, 0.0]}]
    items = [{"explanation": {"modalities": {"x": part}}} for part in parts]
    most = page.strongest(items)
    heights = [re.findall(r'height="([\d.]+)"', page._body(part, None, most)) for part in parts]

    assert most == {"strip": 1.0}
    assert heights == [["10.00", "20.00"], ["5.00", "0.00"]]


def test_a_long_strip_keeps_its_sum_and_its_place():
    times = np.linspace(0, 10, 501)
    values = np.where(times < 5, 0.01, 0.0)
    bars = marks.strip(times, values)

    assert len(bars) == marks.BARS
    assert sum(bars) == pytest.approx(values.sum())
    assert bars[-1] == 0.0


def test_the_colours_of_drawings_are_those_of_the_page_and_of_files_their_own(tmp_path):
    found = report_of()
    for draw in plots.available(found).values():
        inside = plots.svg(draw, found)
        assert not re.findall(r": #(?!000000)[0-9a-f]{6}", inside)
        assert "var(--ink)" in inside
    plots.save(found, tmp_path / "c.svg")
    assert "var(--" not in (tmp_path / "c.svg").read_text()


@pytest.mark.needs("chromedriver")
def test_drawings_turn_dark_with_the_page(tmp_path):
    (tmp_path / "r.html").write_text(page.render(report_of()), encoding="utf-8")
    look = """const light = (c) => c.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
    return [...document.querySelectorAll('.plot')].map(plot => [light(getComputedStyle(plot).backgroundColor),
      ...[...plot.querySelectorAll('text')].slice(-3).map(t => light(getComputedStyle(t).fill))])"""
    with browser() as chrome:
        for theme, dark in (("light", False), ("dark", True)):
            chrome.get(tmp_path / "r.html")
            chrome.run(f"document.documentElement.dataset.theme = '{theme}'")
            for ground, *letters in chrome.run(look):
                assert (ground < 60) == dark
                assert all((letter > 180) == dark for letter in letters)
        assert chrome.errors() == []
