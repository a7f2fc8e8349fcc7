"""Every page is shown in the terminal, and all of them make a site without a dead link that needs no network."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from mmcli.cli import app, manual

from ..browser import browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("manual")
    assert app.run(["help", "--site", str(folder / "site"), "--man", str(folder / "man"), "-q"]) == 0
    return folder


def test_all_pages_and_commands_are_listed_and_shown(capsys):
    assert app.run(["help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert {"start", "python", "recipes", "architecture", *app.COMMANDS} <= set(listed)
    for topic in ("start", "recipes"):
        assert app.run(["help", topic]) == 0
        assert capsys.readouterr().out.startswith("# ")


def test_help_of_a_command_is_its_own(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert app.run(["warp", "--help"]) == 0
    own = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines()).strip()
    assert app.run(["help", "warp"]) == 0
    assert capsys.readouterr().out.strip() == own


def test_a_topic_by_another_name_is_answered_with_the_nearest(capsys):
    assert app.run(["help", "strat"]) == 2
    assert "'start'" in capsys.readouterr().err


def test_the_site_has_a_page_a_topic_and_no_dead_link(site):
    pages = {path.name: path.read_text() for path in (site / "site").iterdir()}
    assert set(pages) == {"index.html", *(f"{topic}.html" for topic in manual.pages())}
    for name, text in pages.items():
        for address in re.findall(r'href="([^"]*)"', text):
            if not address.startswith(("http://", "https://")):
                target, _, place = address.partition("#")
                assert (target or name) in pages, f"{name}: {address}"
                assert not place or f'id="{place}"' in pages[target or name], f"{name}: {address}"
        assert not re.findall(r'(?:src|<link[^>]*href)="(?!data:)', text), name
    assert "data:image/png;base64," in pages["maps.html"]


@pytest.mark.skipif(shutil.which("chromedriver") is None, reason="no chromedriver")
def test_the_site_is_searched_and_fits_a_phone(site):
    with browser() as window:
        window.get(site / "site" / "index.html")
        find = "const s = document.getElementById('search'); s.value = '{}'; s.dispatchEvent(new Event('input'));"
        shown = (
            "return [...document.querySelectorAll('#pages li')].filter(row => !row.hidden).map(r => r.dataset.topic)"
        )
        assert "train" in window.run(find.format("differential privacy") + shown)
        assert "api" in window.run(find.format("to_torch export") + shown)
        assert window.run(find.format("nothing-is-called-so") + shown) == []
        for topic in ("index", "start", "gallery", "notebook", "api", "train", "architecture"):
            window.shown_as(width=390)
            window.get(site / "site" / f"{topic}.html")
            assert window.run("return document.documentElement.scrollWidth <= innerWidth"), topic
        window.get(site / "site" / "gallery.html")
        assert min(window.run("return [...document.images].map(image => image.naturalWidth)")) >= 390
        dark = "document.documentElement.dataset.theme = 'dark'; return getComputedStyle(document.body).backgroundColor"
        assert max(int(part) for part in re.findall(r"\d+", window.run(dark))[:3]) < 60
        assert window.errors() == []


def test_every_function_and_object_of_python_stands_in_the_reference():
    import mmcli

    text = manual.pages()["api"].text
    for name in mmcli.FUNCTIONS:
        assert f"## mmcli.{name}\n" in text
        assert f"mmcli.{name}(" in text
    for method in ("Model.export", "Report.to_pandas", "Features.to_torch", "Dataset.to_pandas"):
        assert f"### {method}\n" in text
    assert "::" not in re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def test_man_pages_say_what_help_says(site):
    pages = sorted(path.name for path in (site / "man").iterdir())
    assert pages == sorted(f"mmcli-{name}.1" for name in app.COMMANDS)
    text = (site / "man" / "mmcli-fuse.1").read_text()
    assert "\\-\\-strategy" in text
    if shutil.which("man"):
        done = subprocess.run(
            ["man", "--warnings", "-l", str(site / "man" / "mmcli-fuse.1")], capture_output=True, text=True, check=True
        )
        assert "--strategy" in done.stdout
        assert done.stderr == ""
