"""What `predict --stream` costs an event: in process, through the pipe, over many events; each figure beside its bar.

    python tests/benchmarks/bench_stream.py [--events 200000 | --million]

Two modalities of 180 and 64 numbers an item (the sizes of AV-digits), 50 items a second, images late by 0.5 s on
average (exponential), one in ten missing, 2 % late by 30 s, 1 % of the sound rows sent twice. Random values: what is
measured is the machinery, not a task.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mmcli.artifacts.formats import dataset
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.batch.live.answers import Answers, asked
from mmcli.batch.live.join import Join, Options
from mmcli.cli.app import run
from mmcli.training.fit import predictor

WIDTHS = {"audio": 180, "image": 64}


def trained(folder: Path, items: int = 600) -> Dataset:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 10, items)
    centers = {name: rng.normal(0, 0.3, (10, width)) for name, width in WIDTHS.items()}
    streams = {
        name: Stream(
            (rng.normal(size=(items, width)) + centers[name][label]).astype(np.float32),
            np.arange(items + 1, dtype=np.int64),
            np.zeros(items),
            np.ones(items, bool),
            meta={"kind": "vector"},
        )
        for name, width in WIDTHS.items()
    }
    split = np.array(["train", "train", "train", "val", "test"] * (items // 5))
    meta = {"task": "classify", "classes": [str(k) for k in range(10)]}
    names = np.array([f"i{k}" for k in range(items)])
    data = Dataset(streams, names, split, np.full(items, ""), np.array(meta["classes"])[label], meta=meta)
    dataset.save(folder / "data.npz", data)
    command = ["train", str(folder / "data.npz"), "-o", str(folder / "model.pt"), "--epochs", "3", "-q"]
    assert run([*command, "--fusion", "concat"]) == 0
    return data


def arrivals(items: int, known: int) -> tuple[np.ndarray, ...]:
    """Item, modality, row of the values, in order of arrival, and when that is."""
    rng = np.random.default_rng(1)
    t = np.arange(items) / 50.0
    sound, image = t + rng.exponential(0.05, items), t + rng.exponential(0.5, items)
    image[rng.random(items) < 0.02] += 30
    there, twice = rng.random(items) >= 0.1, rng.random(items) < 0.01
    when = np.concatenate([sound, image[there], sound[twice] + 0.01])
    item = np.concatenate([np.arange(items), np.flatnonzero(there), np.flatnonzero(twice)])
    kind = np.concatenate([np.zeros(items, int), np.ones(there.sum(), int), np.zeros(twice.sum(), int)])
    order = np.argsort(when, kind="stable")
    return item[order], kind[order], rng.integers(0, known, items)[item[order]], when[order]


def megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def in_process(folder: Path, data: Dataset, events: int) -> None:
    answers = Answers(asked(folder / "model.pt"), Options(lateness=3.0), lambda *_: None)
    item, kind, source, when = arrivals(int(events / 1.91), len(data.id))
    values = [np.asarray(data.streams[name].values) for name in WIDTHS]
    names = list(WIDTHS)
    finals: dict[str, tuple[int, tuple[str, ...], float]] = {}
    where: dict[str, int] = {}
    spent, memory = [], []
    begun = time.process_time()
    for k in range(len(item)):
        tick = time.perf_counter()
        identifier, name = str(item[k]), names[kind[k]]
        where[identifier] = source[k]
        code = answers.model.encode(name, values[kind[k]][source[k]])
        for event in answers.join.push(identifier, name, item[k] / 50.0, code, when[k]):
            if event.kind in ("final", "update"):
                logits = answers.model.answer(event.item.codes)
                if event.kind == "final":
                    finals[identifier if event.why == "complete" else event.item.id] = (
                        int(logits.argmax()), tuple(event.item.codes), float(logits.max()),
                    )  # fmt: skip
        spent.append(time.perf_counter() - tick)
        if k % (len(item) // 5) == 0:
            memory.append(round(megabytes()))
    cpu = (time.process_time() - begun) / len(item) * 1e6
    p50, p95 = np.percentile(spent, [50, 95]) * 1e6
    print(f"in process: {cpu:.0f} us of processor an event (bar 60), p50 {p50:.0f}, p95 {p95:.0f} us")
    print(f"  {answers.join.counts}, MB on the way {memory}")
    whole = predictor.load(folder / "model.pt").predict(data)
    same = [k for k, (_, present, _) in finals.items() if len(present) == 2]
    wrong = sum(finals[k][0] != int(whole.logits[where[k]].argmax()) for k in same)
    off = max(abs(finals[k][2] - float(whole.logits[where[k]].max())) for k in same)
    print(f"  of {len(same)} finals with all modalities {wrong} differ from predict, logits by at most {off:.1e}")


def million(folder: Path, data: Dataset, events: int) -> None:
    """Memory of the program while so many events go through its pipe."""
    item, kind, source, _ = arrivals(int(events / 1.91), len(data.id))
    names = list(WIDTHS)
    rows = [
        [json.dumps([round(float(x), 4) for x in row]) for row in np.asarray(data.streams[n].values)] for n in names
    ]
    command = [sys.executable, "-m", "mmcli", "predict", str(folder / "model.pt"), "-", "--stream", "--lateness", "3"]
    process = subprocess.Popen([*command, "--final-only"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    memory, step = [], len(item) // 5
    for start in range(0, len(item), 1000):
        some = zip(item[start : start + 1000], kind[start : start + 1000], source[start : start + 1000], strict=True)
        lines = (
            f'{{"id": "{i}", "modality": "{names[m]}", "t": {i / 50.0}, "values": {rows[m][s]}}}\n' for i, m, s in some
        )
        process.stdin.write("".join(lines).encode())
        if start % step < 1000:
            memory.append(round(int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096 / 1e6))
    memory.append(round(int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096 / 1e6))
    process.stdin.close()
    assert process.wait() == 0
    print(f"{len(item):,} events through the pipe: MB on the way {memory} (bar 150)")


def join_alone(events: int) -> None:
    item, kind, _, when = arrivals(int(events / 1.91), 600)
    join, names = Join(list(WIDTHS), Options(lateness=3.0)), list(WIDTHS)
    begun, memory = time.process_time(), []
    for k in range(len(item)):
        join.push(str(item[k]), names[kind[k]], item[k] / 50.0, None, when[k])
        if k % (len(item) // 5) == 0:
            memory.append(round(megabytes()))
    cpu = (time.process_time() - begun) / len(item) * 1e6
    print(f"the join alone, {len(item):,} events: {cpu:.1f} us each, MB on the way {memory}, {join.counts}")


def by_pipe(folder: Path, data: Dataset, events: int) -> None:
    item, kind, source, _ = arrivals(int(events / 1.91), len(data.id))
    names = list(WIDTHS)
    rows = [
        [json.dumps([round(float(x), 4) for x in row]) for row in np.asarray(data.streams[n].values)] for n in names
    ]
    lines = (
        f'{{"id": "{i}", "modality": "{names[m]}", "t": {i / 50.0}, "values": {rows[m][s]}}}\n'
        for i, m, s in zip(item, kind, source, strict=True)
    )
    text = "".join(lines).encode()
    command = [sys.executable, "-m", "mmcli", "predict", str(folder / "model.pt"), "-", "--stream", "--lateness", "3"]
    times = []
    for data_in in (b"", text):
        script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdin=0, stdout=subprocess.DEVNULL, "
        script += "check=True); u = resource.getrusage(resource.RUSAGE_CHILDREN); "
        script += "print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024, file=sys.stderr)"
        done = subprocess.run([sys.executable, "-c", script, *command], input=data_in, capture_output=True, check=True)
        times.append([float(x) for x in done.stderr.decode().split()[-2:]])
    each = (times[1][0] - times[0][0]) / len(item) * 1e6
    print(f"through the pipe: {each:.0f} us of processor an event of 1.2 kB (bar 150), peak {times[1][1]:.0f} MB")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    waited = []
    sounds = {row["id"]: row for row in map(json.loads, text.splitlines()[:800]) if row["modality"] == "audio"}
    for row in sounds.values():  # of one modality only: each gives one line
        line = (json.dumps(row) + "\n").encode()
        tick = time.perf_counter()
        process.stdin.write(line)
        process.stdin.flush()
        process.stdout.readline()
        waited.append((time.perf_counter() - tick) * 1000)
        time.sleep(0.002)
    process.kill()
    process.wait()
    p50, p95 = np.percentile(waited[20:], [50, 95])
    print(f"from row to line: p50 {p50:.2f}, p95 {p95:.2f} ms (bar 5, on an idle machine)")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--million", action="store_true", help="only the memory of 1,000,000 events: three minutes")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        data = trained(Path(place))
        if given.million:
            million(Path(place), data, 1_000_000)
            return
        in_process(Path(place), data, given.events)
        by_pipe(Path(place), data, min(given.events, 40_000))
    join_alone(1_000_000)


if __name__ == "__main__":
    main()
