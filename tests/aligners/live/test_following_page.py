"""The page of a stream: live from a server that only this machine can reach, and as a file that plays it again."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import numpy as np
import pytest
import soundfile

from mmcli.aligners.live.follower import Shown
from mmcli.aligners.live.history import History
from mmcli.aligners.output.serve import Server
from mmcli.cli.app import run

from ...browser import browser


@pytest.fixture(scope="module")
def reading(root):
    """A reading: its path, samples int16 and rate."""
    path = root / "sample_data" / "reading" / "reading.flac"
    return path, *soundfile.read(path, dtype="int16")


def shown(t: float, position: float, state: str = "playing", jump: bool = False) -> Shown:
    return Shown(t, position, 0.02, state, 1.0, jump)


@contextlib.contextmanager
def followed(path, rate: int, *options: str):
    """The program that follows, its standard input open, and the address of its page."""
    command = [sys.executable, "-m", "mmcli", "follow", str(path), "-", "--raw", "s16le", "--rate", str(rate)]
    process = subprocess.Popen(
        [*command, "--serve", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process, re.search(r"http://\S+", process.stderr.readline().decode())[0]
    finally:
        process.kill()
        process.communicate()


def listened(process, samples: np.ndarray, until: float) -> None:
    """What is heard next, and all lines up to a time of the stream."""
    process.stdin.write(samples.tobytes())
    process.stdin.flush()
    while json.loads(process.stdout.readline())["t"] < until:
        continue


@pytest.mark.needs("chromedriver")
def test_in_a_real_browser_the_position_moves_with_the_sound_and_can_be_played_again(reading):
    path, samples, rate = reading
    part = "return document.getElementById('position').textContent"
    at = (
        "const c = document.getElementById('cursor').getBoundingClientRect();"
        "const w = document.getElementById('whole').getBoundingClientRect();"
        "return (c.left + 1 - w.left) / w.width * JSON.parse(document.getElementById('data').textContent).lane.duration"
    )
    # Told and drawn are two moments: what is looked at is where the cursor comes to rest.
    arrived = f"const at = () => {{{{ {at} }}}}; const look = () => {{{{ Math.abs(at() - {{}}) <= 0.5 ? done(at()) : "
    arrived += "setTimeout(look, 30); }}; look();"
    moved = "const look = () => {{ const n = document.getElementById('heard').textContent; "
    moved += "n >= '{}' ? done(n) : setTimeout(look, 30); }}; look();"
    with browser() as chrome, followed(path, rate) as (process, address):
        listened(process, samples[: 4 * rate], 3.4)
        chrome.get(address)
        chrome.wait(moved.format("0:03"))
        assert chrome.wait(arrived.format(3.8)) == pytest.approx(3.8, abs=0.5)
        assert chrome.run("return document.getElementById('state-name').textContent") == "playing"
        assert re.fullmatch(r"[01]\.\d\d ×", chrome.run("return document.getElementById('pace').textContent"))
        listened(process, samples[15 * rate : 20 * rate], 8.4)  # a skip
        chrome.wait(moved.format("0:08"))
        assert chrome.wait(arrived.format(19.8)) == pytest.approx(19.8, abs=0.5)
        assert chrome.run("return document.getElementById('events').textContent").count("jumped from 0:0") == 1
        assert chrome.run("return document.getElementById('again').hidden") is True
        out, err = process.communicate()
        assert process.returncode == 0, (out, err)
        ended = "const look = () => document.getElementById('said').textContent.includes('ended') ? done(true)"
        assert chrome.wait(ended + " : setTimeout(look, 30); look();")
        assert chrome.run("return document.getElementById('again').hidden") is False
        assert chrome.run("return document.getElementById('trouble').hidden") is True
        chrome.run("document.querySelector('#events button').click()")  # half a second before the jump
        assert chrome.run(at) < 5
        chrome.run("document.getElementById('speed').value = '4';")
        chrome.run("document.getElementById('speed').dispatchEvent(new Event('change'));")
        chrome.run("document.getElementById('play').click()")
        chrome.wait(moved.format("0:08"))
        assert chrome.run(part) > "0:18"
        assert chrome.errors() == []


@pytest.mark.needs("chromedriver")
def test_the_page_of_a_file_is_whole_in_itself_and_shows_every_kind_of_reference(root, reading, tmp_path, capsys):
    path, samples, rate = reading
    jumped = tmp_path / "<b>jumped.wav"
    soundfile.write(jumped, np.concatenate([samples[: 6 * rate], samples[15 * rate : 22 * rate]]), rate)
    pages = {"wave": (path, jumped)}
    score = tmp_path / "score.mid"
    score.write_bytes(
        b"MThd\0\0\0\6\0\0\0\1\0\x60MTrk\0\0\0\x43"
        + b"".join(b"\0\x90%c\x60\x60\x80%c\0" % (p, p) for p in (60, 64, 67, 72, 60, 64, 67))[:63]
        + b"\0\xff\x2f\0"
    )
    pages["notes"] = (score, path)
    for name in ("a", "b"):
        sound = path if name == "a" else jumped
        assert run(["extract", str(sound), "-o", str(tmp_path / f"{name}.npz"), "--audio", "mfcc", "-q"]) == 0
    pages["heat"] = (tmp_path / "a.npz", tmp_path / "b.npz")
    with browser() as chrome:
        for kind, (reference, query) in pages.items():
            page = tmp_path / f"{kind}.html"
            assert run(["follow", str(reference), str(query), "--every", "60", "--page", str(page)]) == 0
            text = page.read_text(encoding="utf-8")
            assert "http" not in text.replace("http-equiv", "")
            assert "<b>jumped.wav</b>" not in text.replace("<b>&lt;b&gt;jumped.wav</b>", "")
            chrome.get(page)
            assert chrome.run("return JSON.parse(document.getElementById('data').textContent).lane.kind") == kind
            drawn = "const c = document.getElementById('whole'), d = c.getContext('2d').getImageData(0, 0, c.width,"
            drawn += " c.height).data; let n = 0; for (let k = 3; k < d.length; k += 4) n += d[k] > 0; return n"
            assert chrome.run(drawn) > 300, kind
            assert chrome.run("return document.getElementById('again').hidden") is False
            if kind == "wave":
                assert chrome.run("return document.getElementById('jumps').textContent") == "1"
            chrome.shown_as(width=390)
            overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert chrome.run(overflow) <= 0, kind
            chrome.shown_as()
            assert chrome.errors() == []
    capsys.readouterr()


def test_only_this_machine_is_answered_and_only_by_its_own_name():
    history = History()
    for k in range(30):
        history.add(shown(k / 10, k / 10))
    with Server("<style>a</style><script>b</script>", history) as server:
        port = int(server.address.split(":")[2].strip("/"))
        assert server.server.socket.getsockname()[0] == "127.0.0.1"
        with urllib.request.urlopen(server.address) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert answer.read() == b"<style>a</style><script>b</script>"
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy

        def code(path: str, host: str, method: str = "GET") -> int:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host}, method=method)
            try:
                with urllib.request.urlopen(request) as answer:
                    return answer.status
            except urllib.error.HTTPError as problem:
                return problem.code

        assert code("/", f"localhost:{port}") == 200
        assert code("/", f"evil.example:{port}") == 421
        assert code("/events", "evil.example") == 421
        assert code("/../etc/passwd", f"localhost:{port}") == 404
        assert code("/", f"localhost:{port}", "POST") == 501
        with socket.create_connection(("127.0.0.1", port)) as rude:  # goes away in the middle
            rude.sendall(b"GET /events HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % port)
        with socket.socket() as other, pytest.raises(OSError, match="refused"):
            other.connect(("127.0.0.2", port))
        history.end()
        with urllib.request.urlopen(server.address + "events") as answer:
            events = answer.read().decode()
        assert [line for line in events.splitlines() if line.startswith("event")] == ["event: all", "event: end"]
        assert len(json.loads(events.splitlines()[1].removeprefix("data: "))) == 30
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(server.address)


def test_a_history_stays_short_and_keeps_what_happened():
    history = History(most=100)
    for k in range(5000):
        state = "quiet" if 2000 <= k < 2003 else "playing"
        history.add(shown(k / 50, k / 50, state, jump=k == 3333))
    assert len(history.rows) <= 100
    assert [row[0] for row in history.rows if row[5]] == [66.66]
    assert next(row[0] for row in history.rows if row[3] == 2) == 40.0
    assert history.rows[-1][0] == pytest.approx(100, abs=2 * history.every_s)
    now, rows, ended = history.since(0, 50, 0)
    assert (now, len(rows), ended) == (history.thinned, len(history.rows), False)
    assert history.since(now, len(rows), 0)[1] == []


def test_pages_and_servers_are_asked_for_in_ways_that_can_be(reading, tmp_path, capsys):
    path, _, _ = reading
    assert run(["follow", str(path), str(path), "--serve"]) == 2
    assert "--realtime" in capsys.readouterr().err
    assert run(["follow", str(path), str(path), "--port", "8123"]) == 2
    assert run(["follow", str(path), str(path), "--page", "-"]) == 2
    assert run(["follow", str(path), str(path), "--page", str(path)]) == 2
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert run(["follow", str(path), str(path), "--realtime", "--serve", "--port", port]) == 2
    assert f"--port {port} is taken" in capsys.readouterr().err
