"""The page of a map: whole in itself, escaped, and in a real browser two players that keep in step."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mmcli.aligners import pair
from mmcli.aligners.output.page import THIN_S, side_lanes
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.errors import UsageError

from ...browser import browser


@pytest.fixture(scope="module")
def warped(root: Path, tmp_path_factory: pytest.TempPathFactory):
    """The map of the re-timed reading, and its page."""
    folder = tmp_path_factory.mktemp("page")
    reading = root / "sample_data" / "reading"
    found = pair.align_files(reading / "reading.flac", reading / "reading_retimed.ogg", page=folder / "map.html")
    return found, folder / "map.html"


def _data(page: Path) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)[1])


def test_the_page_needs_nothing_else_and_is_the_same_twice(warped, root: Path, tmp_path: Path) -> None:
    _found, page = warped
    text = page.read_text(encoding="utf-8")
    fetched = [u for u in re.findall(r'(?:src|href)="([^"#]+)"', text) if not u.startswith("data:")]
    assert fetched == []
    assert "http://" not in text
    assert "https://" not in text
    assert len(text) < 1_000_000
    reading = root / "sample_data" / "reading"
    pair.align_files(reading / "reading.flac", reading / "reading_retimed.ogg", page=tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_the_drawn_path_is_the_map(warped) -> None:
    found, page = warped
    m = TimeMap(found)
    for segment in _data(page)["segments"]:
        for reference, query, half in segment:
            assert float(m.to_query([reference])[0]) == pytest.approx(query, abs=2 * THIN_S)
            assert half > 0


def _srt(t: float) -> str:
    return f"00:{int(t // 60):02d}:{t % 60:06.3f}".replace(".", ",")


def test_names_and_words_cannot_become_markup(root: Path, tmp_path: Path) -> None:
    evil = tmp_path / "<img src=x onerror=alert(1)>.srt"
    starts = [3 * k + (k * k) % 7 / 3 for k in range(40)]
    cues = [
        f"{k}\n{_srt(t)} --> {_srt(t + 1.0)}\n</script><script>alert(2)</script>\n" for k, t in enumerate(starts, 1)
    ]
    evil.write_text("\n".join(cues))
    other = tmp_path / "b.srt"
    other.write_text(evil.read_text())
    page = tmp_path / "map.html"
    pair.align_files(other, evil, page=page)
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "<script>alert" not in text


def test_a_text_has_no_frames_to_plot(root: Path, tmp_path: Path) -> None:
    reading = root / "sample_data" / "reading"
    with pytest.raises(UsageError, match="--plot draws frames"):
        pair.align_files(reading / "reading.flac", reading / "transcript.txt", plot=tmp_path / "p.png")


@pytest.mark.needs("chromedriver")
def test_in_a_real_browser_the_players_keep_in_step(warped) -> None:
    """Seeking, clicking, keys and playing: what is heard of the query is what the map says."""
    found, page = warped
    m = TimeMap(found)
    times = "return ['reference', 'query'].map(s => document.getElementById('player-' + s).currentTime)"
    ready = (
        "const players = ['reference', 'query'].map(s => document.getElementById('player-' + s));"
        "const look = () => players.every(p => p.readyState >= 3 && !p.seeking) ? done(players.map(p => p.duration))"
        " : setTimeout(look, 30); look();"
    )
    with browser() as chrome:
        chrome.get(page)
        durations = chrome.wait(ready)
        assert durations[0] == pytest.approx(found.reference["duration_s"], abs=0.05)
        assert durations[1] == pytest.approx(found.query["duration_s"], abs=0.05)

        def click(lane: str, share: float) -> list[float]:
            chrome.run(
                f"const e = document.getElementById('{lane}'), b = e.getBoundingClientRect();"
                f"e.dispatchEvent(new PointerEvent('pointerdown', {{clientX: b.left + {share} * b.width, "
                "clientY: b.top + b.height / 2, bubbles: true, pointerId: 1, buttons: 1}))"
            )
            chrome.wait(ready)
            return chrome.run(times)

        for lane, share in (("lane-reference", 0.25), ("lane-query", 0.8), ("lane-reference", 0.5)):
            reference, query = click(lane, share)
            assert reference == pytest.approx(share * found.reference["duration_s"], abs=0.1)
            assert query == pytest.approx(float(m.to_query([reference])[0]), abs=0.02)

        def key(name: str) -> None:
            event = f"new KeyboardEvent('keydown', {{key: '{name}', bubbles: true}})"
            chrome.run(f"document.body.dispatchEvent({event})")

        before = chrome.run(times)[0]
        key("ArrowRight")
        chrome.wait(ready)
        assert chrome.run(times)[0] == pytest.approx(before + 1.0, abs=0.01)

        key(" ")
        samples = chrome.wait(
            "const out = [], players = ['reference', 'query'].map(s => document.getElementById('player-' + s));"
            "const look = () => { out.push(players.map(p => p.currentTime));"
            " out.length < 20 ? setTimeout(look, 100) : done(out); }; setTimeout(look, 1500);"
        )
        key(" ")
        assert samples[-1][0] > samples[0][0] + 0.5, "it plays"
        apart = sorted(abs(q - float(m.to_query([r])[0])) for r, q in samples)
        assert apart[len(apart) // 2] < 0.1
        assert chrome.run("return document.getElementById('play').getAttribute('aria-pressed')") == "false"

        chrome._call(f"{chrome.session}/window/rect", {"width": 500, "height": 900})
        overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert chrome.run(overflow) <= 0
        light = chrome.run("return getComputedStyle(document.body).backgroundColor")
        chrome.run("document.getElementById('theme').click()")
        assert chrome.run("return getComputedStyle(document.body).backgroundColor") != light
        assert chrome.errors() == []


@pytest.mark.needs("chromedriver")
def test_words_light_up_while_they_are_spoken(root: Path, tmp_path: Path) -> None:
    reading = root / "sample_data" / "reading"
    page = tmp_path / "text.html"
    found = pair.align_files(reading / "reading.flac", reading / "transcript.txt", page=page)
    words = [s for s in found.segments if s["kind"] == "word"]
    with browser() as chrome:
        chrome.get(page)
        for word in words[3::17]:
            lit = chrome.run(
                f"[...document.querySelectorAll('.word')].find(w => w.dataset.t == '{word['start']}').click();"
                "return [...document.querySelectorAll('.word.now')].map(w => w.textContent)"
            )
            assert lit == [word["text"]]
        assert chrome.run("return document.querySelectorAll('.line.now').length") == 1
        assert chrome.errors() == []


@pytest.mark.needs("chromedriver")
def test_the_legend_speaks_of_the_picture_as_it_is_shown(warped) -> None:
    """In the dark the picture of the costs is turned over: what is alike is light there."""
    with browser() as chrome:
        chrome.get(warped[1])
        chrome.run("document.documentElement.dataset.theme = 'light'")
        read = "return document.querySelector('.pathbox + .legend').innerText"
        turned = "return getComputedStyle(document.querySelector('.pathbox img')).filter"
        assert ("dark is alike" in chrome.run(read), chrome.run(turned)) == (True, "none")
        chrome.run("document.documentElement.dataset.theme = 'dark'")
        assert ("light is alike" in chrome.run(read), chrome.run(turned)) == (True, "invert(1)")


@pytest.mark.needs("chromedriver")
def test_what_is_too_large_to_go_in_is_played_from_beside_the_page(root: Path, tmp_path: Path, monkeypatch) -> None:
    """The players run on links as they do on what travels inside, and the page says so."""
    monkeypatch.setattr(side_lanes, "__kwdefaults__", {"limit": 1000})
    reading = root / "sample_data" / "reading"
    files = tmp_path / "reading #1?.flac", tmp_path / "50 % re-timed.ogg"  # as nothing in an address may be
    for file, name in zip(files, ("reading.flac", "reading_retimed.ogg"), strict=True):
        file.write_bytes((reading / name).read_bytes())
    page = tmp_path / "map.html"
    pair.align_files(*files, page=page)
    assert "reading #1?.flac is too large to be put in" in page.read_text(encoding="utf-8")
    with browser() as chrome:
        chrome.get(page)
        ready = "const m=[...document.querySelectorAll('audio,video')];const t=setInterval(()=>{if(m.length&&"
        ready += "m.every(v=>v.readyState>=2)){clearInterval(t);done(m.map(v=>v.duration))}},50)"
        durations = chrome.wait(ready)
        assert durations == pytest.approx([26.73, 26.44], abs=0.1)


@pytest.mark.needs("chromedriver")
def test_every_control_is_reached_by_tab_in_the_order_of_the_page(warped) -> None:
    """Nothing is out of reach or out of order: no control has a place of its own in the order of tabs."""
    with browser() as chrome:
        chrome.get(warped[1])
        wrong = "return [...document.querySelectorAll('button,select,input,a[href],[role=slider]')]"
        wrong += ".filter(e=>e.offsetParent!==null&&(e.tabIndex<0||e.tabIndex>0)).map(e=>e.outerHTML.slice(0,80))"
        assert chrome.run(wrong) == []
        assert chrome.run("return document.querySelectorAll('button,select,input').length") >= 8
