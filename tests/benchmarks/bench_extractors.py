"""How fast and how light extractors are, beside the libraries whose work they do, and how steady a worker is.

    python tests/benchmarks/bench_extractors.py [library video memory slope]

Figures are of processor time and memory; comparisons are interleaved, medians of five.
"""

from __future__ import annotations

import json
import os
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

ROUNDS = 5
MMCLI = [sys.executable, "-m", "mmcli"]


def say(text: str) -> None:
    print(text, flush=True)


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


BENCHMARKS = {f.__name__: f for f in (library, video, memory, slope)}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()
