"""The page: whole in itself, escaped, the same bytes twice; sorting, players and themes in a real browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mmcli.artifacts.formats import manifest
from mmcli.artifacts.formats import report as reports
from mmcli.evaluation.model import Model
from mmcli.evaluation.report import media as media_of_items
from mmcli.evaluation.report import numbers, page
from mmcli.evaluation.report.report import Request, evaluate

from ...browser import browser
from ..conftest import made, predict
from ..networks import access_to, net, predict_with


def report_of(task: str = "classify", classes: tuple[str, ...] = ("a", "b", "c"), **options) -> dict:
    """A report as a reader gets it, through the file format."""
    data = made(200, task=task, classes=classes, missing=0.2)
    names = None if task == "regress" else list(classes)
    model = Model(predict=predict, task=task, classes=names, name="model.pt", **options)
    digest = {"size": 1, "sha256": "0" * 64}
    request = Request(
        inputs=({"name": "model.pt", **digest}, {"name": "data.npz", **digest}), reproduce="mmcli evaluate"
    )
    rivals = (
        []
        if task == "multilabel"
        else [Model(predict=predict, task=task, classes=names, name="x.pt", modalities=("x",))]
    )
    return reports.loads(reports.dumps(evaluate(model, data, request, opponents=rivals)), "r.json")


def explained_report() -> dict:
    """A report whose most wrong items are explained."""
    data = made(60, missing=0.2)
    access = access_to(net())
    call = predict_with(access)
    model = Model(predict=call, task="classify", classes=["a", "b", "c"], modalities=("x", "y"), access=access)
    return reports.loads(reports.dumps(evaluate(model, data, Request(explain=4))), "r.json")


class Checker(HTMLParser):
    """Counts elements, collects ids and everything a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href") and value and not value.startswith(("#", "data:")):
                self.fetched.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_is_well_formed(task):
    html = page.render(report_of(task))
    checker = Checker()
    checker.feed(html)

    assert checker.open == []
    assert checker.fetched == []
    assert len(set(checker.ids)) == len(checker.ids)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert html == page.render(report_of(task))


def test_the_verdict_comes_first_and_the_figures_are_there():
    found = report_of()
    html = page.render(found)

    assert html.index(found["verdict"]["text"][:20]) < html.index("All figures")
    assert f"{found['metrics']['accuracy']['value']:.3f}" in html
    assert "by validation" in found["verdict"]["text"]
    assert "chosen on the validation items" in html


def test_errors_are_shown_as_errors_and_what_a_modality_adds_as_error_less():
    found = report_of("regress")
    html = page.render(found)
    reached, number = found["modalities"], numbers.numbers_of(found).number

    assert reached["all"] < 0
    assert f"{number(-reached['prior'])} (no modality) to {number(-reached['all'])} (all)" in html
    assert number(reached["all"]) not in html
    for entry in reached["each"].values():
        assert f'<td class="n">{number(-entry["shapley"]["alone"])}</td>' in html


def test_a_gap_that_no_reader_could_see_is_not_told():
    found = explained_report()
    for item, gap in zip((i for i in found["items"] if "explanation" in i), (0.0, 0.009, -0.02, 0.5), strict=True):
        item["explanation"]["gap"] = gap

    assert page.render(found).count("The shares add up to") == 2


def test_names_from_a_data_set_cannot_become_markup():
    evil = "<script>alert(1)</script>"
    found = report_of(classes=(evil, "b&c", 'd"e'))
    found["items"][0]["id"] = "<img src=x onerror=alert(1)>"
    html = page.render(found)

    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_names_of_any_length_leave_the_tables_readable():
    found = report_of()
    found["items"][0]["group"] = found["items"][0]["id"] = "g" * 5000
    found["slices"].insert(0, found["slices"][0] | {"by": "group", "slice": "s" * 5000})
    html = page.render(found)

    assert "g" * 79 + "…" in html
    assert "s" * 79 + "…" in html
    assert "g" * 81 not in html
    assert "s" * 81 not in html


def test_ten_thousand_items_stay_under_three_megabytes():
    found = report_of()
    found["items"] = [item | {"id": f"{item['id']}-{k}"} for k in range(400) for item in found["items"]][:10_000]

    assert len(found["items"]) == 10_000
    assert len(page.render(found)) < 3_000_000


def media_for(found: dict, folder: Path) -> Path:
    """A manifest with a picture and a sound of every item."""
    import soundfile
    from PIL import Image

    Image.new("RGB", (16, 16), "red").save(folder / "a.png")
    soundfile.write(folder / "a.wav", np.sin(np.arange(4000) / 5), 8000)
    lines = ["id,image.x,audio.y,text_value"]
    lines += [f"{item['id']},a.png,{'a.wav' if k else 'gone.wav'},some words" for k, item in enumerate(found["items"])]
    (folder / "m.csv").write_text("\n".join(lines))
    return folder / "m.csv"


def test_media_of_the_explained_items_are_found_and_gaps_are_told(tmp_path):
    found = explained_report()
    found["items"].sort(key=lambda item: -item["loss"])
    media, left_out = media_of_items.gather(manifest.load(media_for(found, tmp_path)), found)

    assert len(media) == 4
    assert [line.endswith("no such file") for line in left_out] == [True]
    assert all(shown["image"].startswith("data:image/png") for shown in media.values())
    assert all(shown["text"] == "some words" for shown in media.values())


@pytest.mark.needs("chromedriver")
def test_in_a_real_browser_tables_sort_players_play_and_nothing_complains(tmp_path):
    found = explained_report()
    found["items"].sort(key=lambda item: -item["loss"])
    media, _ = media_of_items.gather(manifest.load(media_for(found, tmp_path)), found)
    shown = {key: {"x": value["image"], "y": value.get("audio", "")} for key, value in media.items()}
    (tmp_path / "r.html").write_text(page.render(found, shown), encoding="utf-8")
    column = "[...arguments_.querySelectorAll('tbody tr')].map(r => r.cells[K].textContent)"
    with browser() as chrome:
        chrome.get(tmp_path / "r.html")
        table = "[...document.querySelectorAll('.sortable')].find(t => t.tHead.textContent.includes('made by'))"

        def values(k: int) -> list[str]:
            return chrome.run(f"const arguments_ = {table}; return {column.replace('K', str(k))}")

        before = values(1)
        chrome.run(f"{table}.tHead.rows[0].cells[1].firstElementChild.click()")
        falling = [float(v) for v in values(1) if v]
        chrome.run(f"{table}.tHead.rows[0].cells[1].firstElementChild.click()")
        rising = [float(v) for v in values(1) if v]
        chrome.run(f"{table}.tHead.rows[0].cells[0].firstElementChild.click()")
        names = values(0)
        assert falling == sorted(falling, reverse=True)
        assert rising == sorted(rising)
        assert names == sorted(names, key=str.lower)
        assert sorted(before) == sorted(values(1))

        players = chrome.run("return document.querySelectorAll('audio').length")
        played = chrome.wait(
            "const a = document.querySelector('audio'); a.addEventListener('ended', () => done(a.currentTime)); "
            "a.addEventListener('error', () => done('error')); a.play().catch(e => done(String(e)));"
        )
        pictures = chrome.run("return [...document.images].map(i => i.naturalWidth)")
        assert players == sum("y" in item["present"] for item in found["items"][1:4])  # the first has lost its sound
        assert played == pytest.approx(0.5, abs=0.05)
        assert pictures
        assert all(width == 16 for width in pictures)

        light = chrome.run("return getComputedStyle(document.body).backgroundColor")
        chrome.run("document.getElementById('theme').click()")
        assert chrome.run("return getComputedStyle(document.body).backgroundColor") != light
        overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        chrome._call(f"{chrome.session}/window/rect", {"width": 500, "height": 900})
        assert chrome.run(overflow) <= 0
        assert chrome.errors() == []


def test_a_right_answer_among_the_most_wrong_is_not_called_wrong():
    found = explained_report()
    shown = [item for item in found["items"] if "explanation" in item]
    for item in shown:
        item.update(prediction=item["label"], correct=True)

    html = page.render(found)
    assert html.count("predicted, which is right, but given only") == len(shown)
    assert 'class="wrong"' not in html


def test_a_change_without_interaction_stands_inside_its_own_interval():
    found = report_of()
    found["verdict"]["emap"] = {"value": -0.025, "interval": [-0.0771, 0.0271], "sample": 40}
    assert "would change by +0.025 (interval −0.027 to +0.077), on a sample of 40 items" in page.render(found)
    found = report_of("regress")
    found["verdict"]["emap"] = {"value": -6e-9, "interval": [-2e-8, 1e-8], "sample": 40}
    assert "would change by 0.000 (interval 0.000 to 0.000)" in page.render(found)


def test_which_of_several_labels_is_explained_is_named():
    found = report_of("multilabel")
    found["items"][0]["explanation"] = {"toward": "b", "share": {"x": 0.5}, "modalities": {"x": {"values": [0.5]}}}
    assert "What spoke for and against <b>b</b>" in page.render(found)


def test_the_command_is_whole_and_its_options_are_not_torn_apart():
    found = report_of() | {"reproduce": "mmcli evaluate 'a b.pt' <x>.npz --split test -o r.json"}
    html = page.render(found)
    assert "'a b.pt'" in html.replace("&#39;", "'")
    assert "&lt;x&gt;.npz <span>--split</span> test <span>-o</span> r.json" in html


@pytest.mark.needs("chromedriver")
def test_intervals_sort_as_numbers_and_curves_can_be_read_on_a_phone(tmp_path):
    found = report_of()
    curve = {"kind": "noise", "modality": "x", "unit": "frames", "levels": [0, 1], "values": [0.9, 0.5]}
    curves = [curve | {"kind": kind, "intervals": [[0.8, 0.95], [0.4, 0.6]]} for kind in ("noise", "blur", "absence")]
    found["robustness"] = {"primary": "accuracy", "curves": curves}
    for row, low in zip(found["slices"], [-0.5, 0.25, -0.125, 10.0], strict=False):
        row["interval"] = [low, 20.0]
    del found["slices"][4:]
    (tmp_path / "r.html").write_text(page.render(found), encoding="utf-8")
    with browser() as chrome:
        chrome.shown_as("screen", width=390)
        chrome.get(tmp_path / "r.html")
        table = "[...document.querySelectorAll('.sortable')].find(t => t.tHead.textContent.includes('elsewhere'))"
        chrome.run(f"{table}.tHead.rows[0].cells[3].firstElementChild.click()")
        lows = chrome.run(f"return [...{table}.tBodies[0].rows].map(r => Number(r.cells[3].dataset.value))")
        assert lows == [10.0, 0.25, -0.125, -0.5]
        letters = chrome.run(
            "return [...document.querySelectorAll('.plot.wide text')].map(t => t.getBoundingClientRect().height)"
        )
        assert min(letters) > 7
        assert chrome.run("return document.documentElement.scrollWidth") <= 390


@pytest.mark.needs("chromedriver")
def test_paper_is_white_and_its_text_dark_whatever_the_screen_was(tmp_path):
    (tmp_path / "r.html").write_text(page.render(explained_report()), encoding="utf-8")
    colours = "const s = getComputedStyle(document.querySelector(%r)); return [s.color, s.backgroundColor]"

    def brightness(colour: str) -> float:
        return float(np.mean([int(part) for part in re.findall(r"\d+", colour)[:3]]))

    with browser() as chrome:
        chrome.get(tmp_path / "r.html")
        chrome.run("document.documentElement.dataset.theme = 'dark'")
        chrome.shown_as("print")
        for place in ("article", ".chips li"):
            ink, ground = chrome.run(colours % place)
            assert brightness(ground) > 240, place
            assert brightness(ink) < 130, place
