"""How fast, how light, and how steady extraction is. Every figure is printed with what it is compared to.

    python tests/benchmarks/bench_extract.py [speed overhead scaling library video memory slope plan]

``speed``, ``overhead`` and ``scaling`` need the 3,000 recordings in ../shared/data/spoken_digits. Wall-clock figures
mean something only on a machine with nothing else to do; comparisons are interleaved, medians of five.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402 - after the thread counts are set

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT.parent / "shared" / "data" / "spoken_digits" / "recordings"
ROUNDS = 5
MMCLI = [sys.executable, "-m", "mmcli"]
NATIVE = ["--audio", "mfcc", "--set", "mfcc.sample_rate=native"]

PLAIN = """
import pathlib, sys
import librosa, numpy as np
out = pathlib.Path(sys.argv[2])
out.mkdir()
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.wav")):
    y, sr = librosa.load(path, sr=None)
    mfcc = librosa.feature.mfcc(y=y, sr=sr, n_mfcc=13, n_mels=64, n_fft=256, win_length=200, hop_length=80)
    np.savez(out / (path.stem + ".npz"), mfcc=mfcc)
"""


def say(text: str) -> None:
    print(text, flush=True)


def timed(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def interleaved(commands: dict[str, Callable[[Path], list[str]]]) -> dict[str, list[tuple[float, float]]]:
    """Each command in turn, ROUNDS times, into a fresh folder each time.

    The folders are removed at the end: ext4 without a journal passes over every inode that was freed in the last
    minutes, one by one, and files made beside thousands of removed ones cost up to twenty times as much.
    """
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for number in range(ROUNDS):
            for name, command in commands.items():
                found[name].append(timed(command(Path(folder, f"{name}-{number}"))))
    return found


def warmed(*commands: Callable[[Path], list[str]]) -> None:
    """Bytecode and numba's cache are there for everyone, as after the first use of an installation."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", tempfile.mkdtemp(prefix="bench-pyc-"))
    with tempfile.TemporaryDirectory() as folder:
        for number, command in enumerate(commands):
            timed(command(Path(folder, str(number))))


def median(pairs: list[tuple[float, float]], which: int) -> float:
    return statistics.median(p[which] for p in pairs)


def extract(jobs: int, *more: str) -> Callable[[Path], list[str]]:
    return lambda out: [*MMCLI, "extract", str(RECORDINGS), "-o", str(out), "--jobs", str(jobs), *NATIVE, *more]


def speed() -> None:
    """3,000 recordings: two jobs against a plain script, start-up included, and the same values."""
    plain = [sys.executable, "-c", PLAIN, str(RECORDINGS)]
    scripted: Callable[[Path], list[str]] = lambda out: [*plain, str(out)]  # noqa: E731
    warmed(scripted, extract(2))
    found = interleaved({"plain": scripted, "mmcli": extract(2)})
    a, b = found["plain"], found["mmcli"]
    ratios = sorted(x[0] / y[0] for x, y in zip(a, b, strict=True))
    say(
        f"speed: plain script {median(a, 0):.2f} s (CPU {median(a, 1):.2f}), mmcli --jobs 2 {median(b, 0):.2f} s "
        f"(CPU {median(b, 1):.2f}): {median(a, 0) / median(b, 0):.2f} times faster "
        f"(rounds {ratios[0]:.2f} to {ratios[-1]:.2f}; wanted 1.7); by CPU, two full cores: "
        f"{2 * median(a, 1) / median(b, 1):.2f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        timed([*plain, f"{folder}/plain"])
        timed(extract(2)(Path(folder) / "mmcli"))
        worst = 0.0
        for path in sorted(Path(folder, "plain").glob("*.npz")):
            one = np.load(path)["mfcc"].T
            two = np.load(Path(folder, "mmcli", f"{path.stem}.audio.mfcc.npz"))["values"]
            worst = max(worst, float(np.abs(one - two).max() / np.abs(one).max()))
        say(f"speed: largest difference of any value {worst:.1e} of the largest value of its recording")


def overhead() -> None:
    """CPU a file that the runner adds to decoding, computing and writing in one process."""
    bare = (
        "import sys,pathlib;from mmcli.artifacts.io import atomic;from mmcli.artifacts.formats import features;"
        "from mmcli.extractors.audio import mfcc;"
        "from mmcli.media import open_clip;atomic.without_flushing();c=mfcc.Config(sample_rate='native');"
        "out=pathlib.Path(sys.argv[2]);out.mkdir();"
        "[features.save(out/f'{p.stem}.npz',mfcc.extract(open_clip(p,'audio'),c)) "
        "for p in sorted(pathlib.Path(sys.argv[1]).glob('*.wav'))]"
    )
    commands = {"bare": lambda out: [sys.executable, "-c", bare, str(RECORDINGS), str(out)], "one": extract(1)}
    warmed(*commands.values())
    found = interleaved(commands)
    count = len(list(RECORDINGS.glob("*.wav")))
    added = (median(found["one"], 1) - median(found["bare"], 1)) / count
    say(f"overhead: {1000 * added:.2f} ms of CPU a file over a bare loop, start-up included (wanted at most 1)")


def scaling() -> None:
    """Two jobs against two independent runs of one job, side by side, over half of the recordings each."""
    ratios = []
    command = extract(1)
    warmed(command)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            start = time.perf_counter()
            runs = [
                subprocess.Popen(
                    [*command(Path(folder, f"half{i}-{number}")), "--shard", f"{i}/2"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                for i in (1, 2)
            ]
            for run in runs:
                run.wait()
            side_by_side = time.perf_counter() - start
            together, _ = timed(extract(2)(Path(folder, f"both-{number}")))
            ratios.append(side_by_side / together)
    say(f"scaling: two jobs reach {statistics.median(ratios):.2f} of two runs side by side (wanted 0.9)")


def library() -> None:
    """CPU of our audio extractors against librosa's functions, on three minutes of noise at 16 kHz."""
    import librosa

    from mmcli import extractors
    from mmcli.media.clips import AudioClip

    y = np.random.default_rng(0).standard_normal(16_000 * 180).astype(np.float32)
    clip = AudioClip.from_array(y, 16_000)
    short = {"n_fft": 512, "win_length": 400, "hop_length": 160}
    long = {"n_fft": 1024, "hop_length": 160}
    peers: dict[str, Callable[[], object]] = {
        "logmel": lambda: librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=16_000, n_mels=64, **short)),
        "mfcc": lambda: librosa.feature.mfcc(y=y, sr=16_000, n_mfcc=13, n_mels=64, **short),
        "chroma": lambda: librosa.feature.chroma_stft(y=y, sr=16_000, n_fft=2048, win_length=1440, hop_length=320),
        "onset": lambda: librosa.onset.onset_strength(y=y, sr=16_000, n_mels=128, **long),
        "rms": lambda: librosa.feature.rms(y=y, frame_length=1024, hop_length=160),
        "f0": lambda: librosa.yin(y, fmin=65, fmax=1000, sr=16_000, frame_length=1024, hop_length=160),
        "spectral": lambda: (
            [
                call(y=y, sr=16_000, **long)
                for call in (
                    librosa.feature.spectral_centroid,
                    librosa.feature.spectral_bandwidth,
                    librosa.feature.spectral_rolloff,
                    librosa.feature.spectral_contrast,
                )
            ]
            + [librosa.feature.spectral_flatness(y=y, **long), librosa.feature.zero_crossing_rate(y, hop_length=160)]
        ),
    }
    for name, peer in peers.items():
        module = extractors.load(name)
        config = module.Config(sample_rate=16_000)
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        peer()
        for _ in range(ROUNDS):
            for who, call in (("ours", partial(module.extract, clip, config)), ("theirs", peer)):
                start = time.process_time()
                call()
                times[who].append(time.process_time() - start)
        ours, theirs = statistics.median(times["ours"]), statistics.median(times["theirs"])
        say(f"library: {name} {theirs / ours:.2f} times librosa's speed ({180 / ours:.0f} x real time; wanted 1)")


def video() -> None:
    """Frames against a bare PyAV loop that decodes a film of five minutes and converts two frames a second to RGB."""
    import av

    from mmcli import extractors
    from mmcli.media import open_clip

    path = _film(300, (640, 360), "medium")
    module = extractors.load("frames")

    def bare() -> int:
        kept, due = 0, 0.0
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = 2
            for frame in container.decode(stream):
                if frame.time >= due:
                    frame.to_ndarray(format="rgb24")
                    kept, due = kept + 1, due + 0.5
        return kept

    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for _ in range(ROUNDS):
        for who, call in (("bare", bare), ("ours", lambda: module.extract(open_clip(path, "video")))):
            start = time.process_time()
            call()
            times[who].append(time.process_time() - start)
    ratio = statistics.median(times["bare"]) / statistics.median(times["ours"])
    say(f"video: frames reaches {ratio:.2f} of a bare PyAV loop, in CPU (wanted 0.9)")
    path.unlink()


def _film(seconds: int, size: tuple[int, int] = (320, 180), preset: str = "ultrafast") -> Path:
    """A moving test picture with a patch of grain, at 25 frames a second."""
    import av

    path = Path(tempfile.mkdtemp()) / "film.mp4"
    width, height = size
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    grain = np.random.default_rng(0).integers(0, 40, (height, width, 1))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": preset})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(seconds * 25):
            picture = np.stack([(x + 3 * i) % 256, (y + 2 * i) % 256, (x + y + i) % 256], axis=2)
            moved = np.minimum(255, picture + np.roll(grain, i, axis=(0, 1))).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        container.mux(stream.encode(None))
    return path


PEAK = (
    "import sys\n"
    "from mmcli.cli.app import run\n"
    "code=run(sys.argv[1:])\n"
    "print(code, int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])/1000)"
)


def memory() -> None:
    """Peak memory of a 3-hour recording and of a 2-hour film, every extractor that streams or passes twice."""
    import soundfile

    from mmcli import extractors

    folder = Path(tempfile.mkdtemp())
    with soundfile.SoundFile(folder / "long.wav", "w", 16_000, 1) as file:
        noise = np.random.default_rng(0).standard_normal(16_000 * 60).astype(np.float32) * np.float32(0.1)
        for _ in range(180):
            file.write(noise)
    minute = _film(60)
    (folder / "list.txt").write_text("".join(f"file '{minute}'\n" for _ in range(120)))
    long = folder / "long.mp4"
    _repeat(minute, long, 120)
    for modality, path in (("audio", folder / "long.wav"), ("video", long)):
        for name in extractors.registry(modality).names():
            module = extractors.load(f"{modality}.{name}")
            if module.LONG == "whole" or getattr(module, "NEEDS_FILE", False):
                continue
            arguments = [
                "extract",
                str(path),
                "-o",
                str(folder / "x.npz"),
                "--modality",
                modality,
                f"--{modality}",
                name,
            ]
            out = subprocess.run([sys.executable, "-c", PEAK, *arguments], capture_output=True, text=True, check=False)
            code, peak = out.stdout.split()[-2:]
            say(f"memory: {modality}.{name} on {path.name}: peak {float(peak):.0f} MB, exit {code} (wanted 500)")
    shutil.rmtree(folder)


def _repeat(source: Path, target: Path, times: int) -> None:
    """The packets of a film again and again, without encoding anew."""
    import av

    with av.open(str(target), "w") as out:
        stream = None
        offset = 0
        for _ in range(times):
            with av.open(str(source)) as container:
                inner = container.streams.video[0]
                stream = stream or out.add_stream_from_template(inner)
                end = 0
                for packet in container.demux(inner):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + packet.duration, packet.dts + packet.duration)
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    out.mux(packet)
                offset += end


def slope() -> None:
    """Memory of one worker over 20,000 small files, after the first 2,000."""
    import psutil
    import soundfile

    folder = Path(tempfile.mkdtemp())
    (folder / "in").mkdir()
    t = np.arange(1600) / 16_000
    for i in range(200):
        soundfile.write(folder / "in" / f"{i:03d}.wav", 0.1 * np.sin(2 * np.pi * (100 + i) * t), 16_000)
    with (folder / "in" / "m.jsonl").open("w") as file:
        for i in range(20_000):
            file.write(json.dumps({"id": f"i{i:05d}", "audio": f"{i % 200:03d}.wav"}) + "\n")
    command = [
        *MMCLI,
        "extract",
        str(folder / "in" / "m.jsonl"),
        "-o",
        str(folder / "out"),
        "--jobs",
        "1",
        "--recycle",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    seen: list[tuple[int, int]] = []
    journal = folder / "out" / "journal.jsonl"
    while process.poll() is None:
        time.sleep(0.5)
        try:
            (worker,) = psutil.Process(process.pid).children()
            seen.append((journal.read_bytes().count(b"\n"), worker.memory_info().rss))
        except (psutil.NoSuchProcess, ValueError, OSError):
            continue
    later = np.array([s for s in seen if s[0] >= 2_000], np.float64)
    fit = np.polyfit(later[:, 0], later[:, 1], 1)
    say(f"slope: {fit[0]:.0f} bytes a file from file 2,000 to {later[-1, 0]:.0f} (wanted under 1,000)")
    shutil.rmtree(folder)


PLAN = """
import sys, time
from pathlib import Path
from mmcli.batch.jobs import extract
from mmcli.batch.plan import streams
used = {m: [streams.stream(m, n) for n in names] for m, names in streams.chosen({}).items()}
start, cpu = time.perf_counter(), time.process_time()
plan = extract.dry([Path(sys.argv[1])], Path(sys.argv[2]), used, extract.Options())
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1000
print(len(plan.tasks), time.perf_counter() - start, time.process_time() - cpu, peak)
"""


def plan() -> None:
    """Planning 100,000 rows."""
    folder = Path(tempfile.mkdtemp())
    for i in range(100):
        (folder / f"d{i:02d}").mkdir()
    with (folder / "m.jsonl").open("w") as file:
        for i in range(100_000):
            path = f"d{i % 100:02d}/{i:06d}.wav"
            (folder / path).touch()
            file.write(json.dumps({"id": f"i{i:06d}", "split": "train", "label": "x", "audio": path}) + "\n")
    for source in ("m.jsonl", "."):
        out = subprocess.run(
            [sys.executable, "-c", PLAN, str(folder / source), str(folder / "out")],
            capture_output=True,
            text=True,
            check=True,
        )
        tasks, wall, cpu, peak = map(float, out.stdout.split())
        what = "rows of a manifest" if source != "." else "files of a folder"
        say(f"plan: {tasks:,.0f} {what} in {wall:.1f} s (CPU {cpu:.1f}), {peak:.0f} MB (wanted 5 s, 200 MB)")
    shutil.rmtree(folder)


BENCHMARKS = {f.__name__: f for f in (speed, overhead, scaling, library, video, memory, slope, plan)}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        if name in ("speed", "overhead", "scaling") and not RECORDINGS.is_dir():
            say(f"{name}: skipped, ../shared/data/spoken_digits is absent")
            continue
        BENCHMARKS[name]()
