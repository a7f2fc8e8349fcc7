"""Inputs and outputs in an S3 store: a moto server on the loopback device.

pytest -m remote tests/batch/jobs/test_remote.py
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmcli.artifacts.formats import features
from mmcli.artifacts.io import remote

pytestmark = [
    pytest.mark.remote,
    pytest.mark.skipif(importlib.util.find_spec("moto") is None, reason="needs moto"),
    pytest.mark.skipif(importlib.util.find_spec("s3fs") is None, reason="needs the extra remote"),
]
BUCKET = "s3://voices"


@pytest.fixture(scope="module")
def store() -> Iterator[None]:
    """A server with an empty bucket, named to this process and its children by environment variables."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    variables = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        import s3fs

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        s3fs.S3FileSystem().mkdir("voices")
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.terminate()
        server.wait(10)


@pytest.fixture
def place(store: None, request: pytest.FixtureRequest) -> str:
    """A folder in the bucket for one test."""
    return f"{BUCKET}/{request.node.name[:40]}"


def sounds(count: int, seconds: float = 0.3) -> dict[str, bytes]:
    import io

    import soundfile

    rng = np.random.default_rng(0)
    found = {}
    for n in range(count):
        data = io.BytesIO()
        soundfile.write(data, 0.1 * rng.standard_normal(int(16_000 * seconds)), 16_000, format="WAV")
        found[f"{n:03d}.wav"] = data.getvalue()
    return found


def put(folder: str, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        remote.write(f"{folder}/{name}", data)


def content(folder: str) -> dict[str, bytes]:
    found = {url: remote.read(url) for url in remote.listing(folder)}
    return {url[len(folder) + 1 :]: data for url, data in found.items() if data is not None}


def mmcli(*arguments: str, code: int = 0, **more: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "mmcli", *arguments], capture_output=True, text=True, check=False, **more
    )
    assert done.returncode == code, done.stderr
    return done


def test_from_store_to_store_gives_the_bytes_of_a_local_run(
    place: str, tmp_path: Path, tree: Callable[[Path], Any]
) -> None:
    files = {**sounds(4), "deep/more.wav": sounds(1)["000.wav"], "bad.wav": b"RIFF no sound", "notes.xyz": b"?"}
    put(f"{place}/in", files)
    for name, data in files.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)

    mmcli("extract", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--audio", "mfcc", code=3)
    done = mmcli("extract", f"{place}/in", "-o", f"{place}/out", "--audio", "mfcc", code=3)

    here = {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.npz")}
    there = content(f"{place}/out")
    assert {name: data for name, data in there.items() if name.endswith(".npz")} == here
    assert there["manifest.jsonl"] == (tmp_path / "out" / "manifest.jsonl").read_bytes()
    assert len(there["failures.jsonl"].splitlines()) == 1
    assert f"{place}/out" in done.stdout.splitlines()[0]

    again = json.loads(
        mmcli("extract", f"{place}/in", "-o", f"{place}/out", "--audio", "mfcc", "--json", code=3).stdout
    )
    assert (again["done"], again["skipped"], again["failed"]) == (0, 5, 1)
    assert content(f"{place}/out") == there


def test_a_changed_object_is_done_again(place: str) -> None:
    put(f"{place}/in", sounds(3))
    mmcli("extract", f"{place}/in", "-o", f"{place}/out", "--audio", "rms", "-q")
    time.sleep(1.1)  # the store keeps time in seconds
    put(f"{place}/in", {"001.wav": sounds(5)["004.wav"]})
    again = json.loads(mmcli("extract", f"{place}/in", "-o", f"{place}/out", "--audio", "rms", "--json").stdout)
    assert (again["done"], again["skipped"]) == (1, 2)


def test_a_manifest_in_the_store_names_what_lies_beside_it(place: str) -> None:
    put(place, {**{f"wav/{n}": d for n, d in sounds(2).items()}, "m.csv": b"id,audio\na,wav/000.wav\nb,wav/001.wav\n"})
    mmcli("extract", f"{place}/m.csv", "-o", f"{place}/out", "--audio", "rms", "-q")
    found = content(f"{place}/out")
    assert sorted(n for n in found if n.endswith(".npz")) == ["a.audio.rms.npz", "b.audio.rms.npz"]
    assert features.loads(found["a.audio.rms.npz"], "a").meta["source"]["name"] == "000.wav"

    put(place, {"escape.csv": b"id,audio\na,../secret.wav\n"})
    mmcli("extract", f"{place}/escape.csv", "-o", f"{place}/x", code=4)
    put(place, {"lost.csv": b"id,audio\na,wav/999.wav\n"})
    mmcli("extract", f"{place}/lost.csv", "-o", f"{place}/x", code=2)


def test_what_an_extractor_learned_lies_in_the_store_too(place: str) -> None:
    put(f"{place}/in", {"a.txt": b"one two", "b.txt": b"two three"})
    mmcli("extract", f"{place}/in", "-o", f"{place}/out", "-q")
    assert "fitted/tokens.json" in content(f"{place}/out")


def test_a_row_of_the_manifest_is_the_commit(place: str) -> None:
    """Killed midway there are outputs and no manifest; the next run keeps the outputs, and then there are rows."""
    put(f"{place}/in", sounds(24, seconds=20.0))
    command = [sys.executable, "-m", "mmcli", "extract", f"{place}/in", "-o", f"{place}/out", "--audio", "f0", "-q"]
    running = subprocess.Popen([*command, "--jobs", "2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    made: list[str] = []
    while len(made) < 4 and time.monotonic() < deadline:
        made = [n for n in remote.listing(f"{place}/out", empty=True) if n.endswith(".npz")]
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert len(made) >= 4
    left = content(f"{place}/out")
    assert "manifest.jsonl" not in left
    for name, data in left.items():
        features.loads(data, name)

    again = json.loads(mmcli(*command[3:], "--json").stdout)
    assert again["skipped"] >= len(made)
    assert again["done"] + again["skipped"] == 24
    rows = [json.loads(line) for line in content(f"{place}/out")["manifest.jsonl"].splitlines()]
    assert len(rows) == 24


def test_what_is_wrong_is_one_line(store: None, tmp_path: Path) -> None:
    for arguments, code in (
        (["s3://voices/nothing/", "-o", str(tmp_path / "o")], 2),
        (["s3://no-such-bucket/a.wav", "-o", str(tmp_path / "o")], 2),
        (["unknown://a/b.wav", "-o", str(tmp_path / "o")], 2),
        ([str(tmp_path), "-o", "s3://voices/x.npz"], 2),
    ):
        done = mmcli("extract", *arguments, code=code)
        assert 1 <= len(done.stderr.strip().splitlines()) <= 2
        assert "Traceback" not in done.stderr
    (tmp_path / "a.txt").write_text("one")
    done = mmcli("extract", str(tmp_path / "a.txt"), "-o", "s3://no-such-bucket/out", "--text", "chars", code=2)
    assert "Traceback" not in done.stderr
