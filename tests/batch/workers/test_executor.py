"""Work on executors that others bring: paths mean the same there, and one that can do nothing any more ends the run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from mmcli.artifacts.formats import alignment
from mmcli.batch.workers import executor, run
from mmcli.cli import app, batching
from mmcli.errors import InputError

SRT = "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},500\nline {n}\n\n" for n in range(1, 9))
WORK = run.Work("mmcli.batch.jobs.warps:prepare", {})


class Dead(Executor):
    """A cluster whose workers are gone: what is submitted waits for ever."""

    def __init__(self, nodes: list[dict[str, Any]]) -> None:
        self._cluster = executor._Cluster.__new__(executor._Cluster)
        self._cluster._library = type("Ray", (), {"nodes": staticmethod(lambda: nodes)})

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()

    def trouble(self) -> str | None:
        return self._cluster.trouble()


def test_a_cluster_whose_workers_are_all_dead_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "LOOK_S", 0.01)
    nodes = [{"Alive": True, "Resources": {"CPU": 0.0, "memory": 1.0}}, {"Alive": False, "Resources": {}}]
    with pytest.raises(InputError, match="no worker of the cluster is alive: 1 of 2 nodes are dead"):
        list(executor.run([(0, {})], WORK, Dead(nodes)))
    nodes[1] = {"Alive": True, "Resources": {"CPU": 2.0}}
    assert Dead(nodes).trouble() is None


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--engine ray`` as processes that stand in another folder."""

    @contextlib.contextmanager
    def engine(name: str, address: str | None) -> Iterator[Executor | None]:
        if name == "local":
            yield None
            return
        with ProcessPoolExecutor(1, get_context("spawn"), initializer=os.chdir, initargs=("/",)) as pool:
            yield pool

    monkeypatch.setattr(batching, "engine", engine)


@pytest.mark.usefixtures("away")
def test_warp_and_pairs_on_an_engine_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    import soundfile

    monkeypatch.chdir(tmp_path)
    side = {"name": "x", "sha256": None, "duration_s": 60.0}
    knots = np.array([[10.0, 0.0], [70.0, 60.0]])
    one = alignment.Alignment(model="offset", knots=knots, offset_s=10.0, rate=1.0, ppm=0.0, reference=side, query=side)
    alignment.save("map.json", one)
    for name in ("a.srt", "b.srt"):
        Path(name).write_text(SRT)
    noise = np.random.default_rng(0).standard_normal(8000 * 20).astype(np.float32) * 0.1
    soundfile.write("x.wav", noise, 8000)
    soundfile.write("y.wav", noise[8000 * 4 :], 8000)
    Path("pairs.csv").write_text("id,reference,query\none,x.wav,y.wav\n")
    for engine in ("local", "ray"):
        assert app.run(["warp", "a.srt", "b.srt", "--map", "map.json", "-o", f"w_{engine}/", "--engine", engine]) == 0
        assert app.run(["align", "--pairs", "pairs.csv", "-o", f"p_{engine}", "--engine", engine]) == 0
    for kind, names in (("w", ("a.srt", "b.srt", "manifest.jsonl")), ("p", ("one.json", "manifest.jsonl"))):
        for name in names:
            assert Path(f"{kind}_local", name).read_bytes() == Path(f"{kind}_ray", name).read_bytes()


def test_an_engine_is_for_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["align", "a.wav", "b.wav", "--engine", "ray"]) == 2
    assert "--engine is for --pairs" in capsys.readouterr().err
    assert app.run(["warp", "a.srt", "--map", "m.json", "-o", str(tmp_path / "x.srt"), "--engine", "ray"]) == 2
    assert app.run(["align", "--pairs", "l.csv", "-o", str(tmp_path / "out"), "--engine", "slurm"]) == 2
