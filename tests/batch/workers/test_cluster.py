"""A batch on a real cluster: a head and two nodes as processes on the loopback device, one of them killed midway.

pytest -m cluster tests/batch/workers/test_cluster.py
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from mmcli.batch.workers import executor
from mmcli.errors import InputError

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra cluster"),
]


# One secret for the nodes and for who uses them, as ray wants it; both inherit it.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", "ab" * 32)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Cluster:
    """Every process of the cluster is one that this started; they end by their ids."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.nodes: list[subprocess.Popen[bytes]] = []
        port = self.address.partition(":")[2]
        self.start("--head", "--port", port, "--num-cpus", "0", "--include-dashboard", "false")
        for _ in range(2):
            self.start("--address", self.address, "--num-cpus", "1")

    def start(self, *arguments: str) -> None:
        command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block"]
        more = ["--node-ip-address", "127.0.0.1", "--disable-usage-stats", "--object-store-memory", "100000000"]
        self.nodes.append(
            subprocess.Popen(
                [*command, *arguments, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
            )
        )
        deadline = time.monotonic() + 60
        while "--head" in arguments and time.monotonic() < deadline:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", int(self.address.partition(":")[2]))) == 0:
                    break
            time.sleep(0.2)
        time.sleep(4.0)
        assert self.nodes[-1].poll() is None, "a node did not start"

    def kill(self, node: int) -> None:
        processes = [self.nodes[node], *psutil.Process(self.nodes[node].pid).children(recursive=True)]
        for process in processes:
            process.kill()
        self.nodes[node].wait()

    def close(self) -> None:
        for number, node in enumerate(self.nodes):
            if node.poll() is None:
                self.kill(number)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    found = Cluster()
    try:
        yield found
    finally:
        found.close()


def command(source: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "mmcli", "extract", str(source), "-o", str(out), "--audio", "f0", *more]


def write_sounds(folder: Path, count: int) -> Path:
    import soundfile

    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(count):
        soundfile.write(folder / f"{n:03d}.wav", 0.1 * rng.standard_normal(16_000 * 40), 16_000)
    (folder / "bad.wav").write_bytes(b"RIFF no sound")
    return folder


def test_nothing_is_lost_when_a_node_is_killed(nodes: Cluster, tmp_path: Path, tree: Callable[[Path], Any]) -> None:
    source = write_sounds(tmp_path / "in", 60)
    alone = subprocess.run(command(source, tmp_path / "alone"), capture_output=True, check=False)
    assert alone.returncode == 3

    out = tmp_path / "out"
    ours = command(source, out, "--engine", "ray", "--address", nodes.address)
    running = subprocess.Popen(ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    deadline = time.monotonic() + 300
    while len(list(out.glob("*.npz"))) < 10 and time.monotonic() < deadline:
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    done = len(list(out.glob("*.npz")))
    assert 10 <= done < 60
    nodes.kill(2)
    rows, said = running.communicate(timeout=240)

    assert running.returncode == 3, said
    assert tree(out) == tree(tmp_path / "alone")
    assert [line for line in rows.splitlines() if not line.startswith(b"{")] == []
    assert rows.count(b"\n") == 1 + 61
    again = subprocess.run([*ours, "--json"], capture_output=True, check=False)
    assert b'"done": 0' in again.stdout, again.stderr


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    with pytest.raises(InputError, match="no cluster answers"), executor.ray(f"127.0.0.1:{free_port()}"):
        pass


def test_relative_paths_mean_the_same_on_every_node(nodes: Cluster, tmp_path: Path) -> None:
    source = write_sounds(tmp_path / "some", 2)
    (source / "bad.wav").unlink()
    command_line = command(Path("some"), Path("here"), "--engine", "ray", "--address", nodes.address)
    done = subprocess.run(command_line, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "here").glob("*.npz"))) == 2


def test_pairs_and_warped_files_are_those_of_this_machine(nodes: Cluster, tmp_path: Path) -> None:
    import soundfile

    source = write_sounds(tmp_path / "in", 2)
    for number in range(2):
        samples, rate = soundfile.read(source / f"{number:03d}.wav")
        soundfile.write(source / f"late{number}.wav", samples[3 * rate :], rate)
    lines = [f'{{"id": "p{n}", "reference": "{n:03d}.wav", "query": "late{n}.wav"}}\n' for n in range(2)]
    (source / "pairs.jsonl").write_text("".join(lines))
    cluster = ["--engine", "ray", "--address", nodes.address]
    run = [sys.executable, "-m", "mmcli"]
    for where, engine in (("own", []), ("ray", cluster)):
        align = [*run, "align", "--pairs", "in/pairs.jsonl", "-o", f"{where}-maps", *engine]
        done = subprocess.run(align, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        warp = [*run, "warp", "in/late0.wav", "in/late1.wav", "--map", "own-maps/p0.json", "-o", f"{where}-warped/"]
        done = subprocess.run([*warp, *engine], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    for name in ("p0.json", "p1.json"):
        assert (tmp_path / "own-maps" / name).read_bytes() == (tmp_path / "ray-maps" / name).read_bytes()
    for name in ("late0.wav", "late1.wav"):
        assert (tmp_path / "own-warped" / name).read_bytes() == (tmp_path / "ray-warped" / name).read_bytes()


def test_lists_for_many_histories_are_those_of_this_machine(nodes: Cluster, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    events = [f"u{u},i{i}" for u in range(60) for i in rng.choice(40, 5, replace=False).tolist()]
    (tmp_path / "e.csv").write_text("\n".join(["user,item", *events]) + "\n")
    (tmp_path / "h.jsonl").write_text(
        "".join(f'{{"user": "n{n}", "history": ["i{n % 40}", "i{n % 7}"]}}\n' for n in range(30_000))
    )
    run = [sys.executable, "-m", "mmcli"]
    train = ["train", "--task", "rank", "--events", "e.csv", "--method", "ease", "-o", "rec.pt"]
    subprocess.run([*run, *train], cwd=tmp_path, capture_output=True, check=True)
    predict = [*run, "predict", "rec.pt", "h.jsonl", "-k", "5", "-o"]
    subprocess.run([*predict, "own/", "--jobs", "1"], cwd=tmp_path, capture_output=True, check=True)
    cluster = ["--engine", "ray", "--address", nodes.address]
    done = subprocess.run([*predict, "ray/", *cluster], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    parts = sorted((tmp_path / "own" / "lists").iterdir())
    assert len(parts) > 1
    for part in parts:
        assert (tmp_path / "ray" / "lists" / part.name).read_bytes() == part.read_bytes()
