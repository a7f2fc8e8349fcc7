"""The recipe of mmcli/docs/live.md behind a real broker: two workers, one killed, every id answered once, finally."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from mmcli.artifacts.formats import dataset
from mmcli.training.fit import predictor

from .rows import rows_of

nats = pytest.importorskip("nats")

PARTS = 2


@contextlib.contextmanager
def broker(store: Path):
    """The address of a nats-server with JetStream on the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["nats-server", "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(store)]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


class Workers:
    """The page's program, a process for each part."""

    def __init__(self, page: Path, model: Path, address: str, folder: Path) -> None:
        self.program = folder / "worker.py"
        blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        self.program.write_text(next(block for block in blocks if "worker.py" in block), encoding="utf-8")
        self.model, self.address = model, address
        self.running: dict[int, subprocess.Popen] = {}

    def start(self, part: int) -> None:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.running[part] = subprocess.Popen(
            [sys.executable, str(self.program), str(self.model), str(part), self.address],
            env={**os.environ, "PATH": path},
        )

    def kill(self, part: int) -> None:
        process = self.running.pop(part)
        process.kill()
        assert process.wait(20) == -9


async def _answers(bus, wanted: int, seconds: float = 60.0) -> list[dict]:
    """What the broker holds of answers, once so many are there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(nats.js.errors.NotFoundError):
            if (await bus.stream_info("answers")).state.messages >= wanted:
                break
        await asyncio.sleep(0.05)
    state = (await bus.stream_info("answers")).state
    messages = [await bus.get_msg("answers", k) for k in range(1, state.last_seq + 1)]
    return [json.loads(message.data) for message in messages]


async def _played(address: str, workers: Workers, rows: list[dict]) -> list[dict]:
    """Rows of which half come before a worker dies and half after it, and all answers in the end."""
    client = await nats.connect(address)
    bus = client.jetstream()

    async def send(some: list[dict]) -> None:
        for row in some:
            part = zlib.crc32(row["id"].encode()) % PARTS
            await bus.publish(f"rows.{part}", json.dumps(row).encode())

    for part in range(PARTS):
        workers.start(part)
    while True:
        with contextlib.suppress(nats.js.errors.NotFoundError):
            await bus.stream_info("rows")
            await bus.stream_info("answers")
            break
        await asyncio.sleep(0.05)
    half = len(rows) // 2
    await send(rows[:half])
    complete = [row["id"] for row in rows[:half] if row["modality"] == "image"]
    await _answers(bus, len(complete))
    workers.kill(1)
    left = (await bus.consumer_info("rows", "worker-1")).num_ack_pending
    assert left > 0  # rows without an answer, which come again
    await send(rows[half:])
    workers.start(1)
    answers = await _answers(bus, len({row["id"] for row in rows}))
    await asyncio.sleep(0.5)  # for one too many
    answers = await _answers(bus, len(answers))
    done = await asyncio.gather(*(bus.consumer_info("rows", f"worker-{part}") for part in range(PARTS)))
    assert [info.num_ack_pending for info in done] == [0, 0]
    await client.close()
    return answers


@pytest.mark.needs("nats-server")
def test_of_two_workers_one_is_killed_and_every_id_has_one_final(folder, model, root, tmp_path):
    data = dataset.load(folder / "vector.npz")
    whole = [k for k, there in enumerate(data.streams["image"].present) if there]
    expected = {line["id"]: line for line in predictor.lines(predictor.load(model("vector.concat")).predict(data))}
    ids = {str(data.id[k]) for k in whole}
    rows = [{**row, "t": row["t"] / 10} for row in rows_of(data) if row["id"] in ids]
    # Images come five items late: where a worker dies, others are answered beyond what it leaves open.
    rows.sort(key=lambda row: row["t"] + 0.5 * (row["modality"] == "image"))
    with broker(tmp_path) as address:
        workers = Workers(root / "mmcli" / "docs" / "live.md", model("vector.concat"), address, tmp_path)
        try:
            answers = asyncio.run(_played(address, workers, rows))
        finally:
            for process in workers.running.values():
                process.kill()
                process.wait()
    assert sorted(answer["id"] for answer in answers) == sorted(ids)
    for answer in answers:
        assert answer["final"] is True
        assert answer["present"] == ["audio", "image"]
        assert answer["prediction"] == expected[answer["id"]]["prediction"]
