"""The two sets of recommend.sh: films with real ratings, and stamps with ratings that are planted by a stated rule.

The rule of the stamps (``plant``): a carrying modality is chosen. Every stamp has a place, the first four principal
components of that modality's own numbers, each on one scale. Each of 400 invented users has a favourite place, that of
a stamp drawn at random, and likes 15 different stamps, drawn with a chance of ``exp(-d / 0.25)``, d the distance from
the favourite over its mean. Nothing else decides: not the other modalities, not popularity. In stamps/events.csv sound
carries.
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from PIL import Image

USERS, LIKED, AXES, WARMTH = 400, 15, 4, 0.25
CARRIER = "audio"
STAMPS, SIDE, RATE, LONGEST_S = 190, 48, 8000, 1.6
START, STEP_S = 1_700_000_000, 3600  # of the invented times


def plant(places: np.ndarray, seed: int) -> list[tuple[int, int, int]]:
    """``(user, stamp, time)`` by the rule, from the carrying modality's numbers ``(stamps, numbers)``; None of them
    carries where ``places`` is random.
    """
    rng = np.random.default_rng(seed)
    centred = places - places.mean(0)
    left, size, _ = np.linalg.svd(centred / np.maximum(centred.std(0), 1e-9), full_matrices=False)
    at = left[:, :AXES] * (size[:AXES] > 1e-9)
    at = at / np.maximum(at.std(0), 1e-9)
    events = []
    for user in range(USERS):
        distance = np.linalg.norm(at - at[rng.integers(len(at))], axis=1)
        chance = np.exp(-distance / distance.mean() / WARMTH)
        for stamp in rng.choice(len(at), LIKED, replace=False, p=chance / chance.sum()):
            events.append((user, int(stamp), START + STEP_S * int(rng.integers(10_000))))
    return sorted(events, key=lambda event: (event[2], event[0]))


def make_movies(out: Path, source: Path) -> None:
    """ml-latest-small's ratings of 1,324 films, with the first numbers of their plot and poster vectors."""
    rows = list(csv.DictReader((source / "items.csv").open(encoding="utf-8")))
    shutil.copy(source / "README.txt", out / "README.txt")
    shutil.copy(source / "events.csv", out / "events.csv")
    plot, poster = np.load(source / "plot.npy"), np.load(source / "poster.npy")
    np.save(out / "plot.npy", plot[:, :100])
    np.save(out / "poster.npy", poster[:, :64])
    genres = sorted({genre for row in rows for genre in row["genres"].split("|")})
    np.save(out / "genres.npy", np.array([[g in r["genres"].split("|") for g in genres] for r in rows], np.float16))
    with (out / "items.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "title", "genres", "image.poster", "text.plot", "text.genres"])
        for i, row in enumerate(rows):
            image = f"poster.npy#{i}" if np.abs(poster[i]).sum() > 0 else ""
            table.writerow([row["id"], row["title"], row["genres"], image, f"plot.npy#{i}", f"genres.npy#{i}"])


def make_stamps(out: Path, scratch: Path, encode: Callable[..., None]) -> None:
    """Pictures, spoken descriptions (French) and written ones (English) of Debian's tuxpaint-stamps-default."""
    subprocess.run(["apt-get", "download", "-qq", "tuxpaint-stamps-default"], cwd=scratch, check=True)
    subprocess.run(["dpkg", "-x", str(next(scratch.glob("*.deb"))), str(scratch)], check=True)
    root = scratch / "usr/share/tuxpaint/stamps"
    stems = []
    for picture in sorted(root.rglob("*.png")):
        stem = picture.with_suffix("")
        if stem.with_suffix(".txt").exists() and Path(f"{stem}_desc_fr.ogg").exists() and "_mirror" not in stem.name:
            stems.append(stem)
    stems.sort(key=lambda stem: hashlib.sha256(str(stem.relative_to(root)).encode()).digest())
    for folder in ("image", "audio"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir()
    rows = []
    for stem in sorted(stems[:STAMPS]):
        name = stem.name.replace(" ", "-")
        if any(row["id"].lower() == name.lower() for row in rows):
            continue
        shrunk(stem.with_suffix(".png")).save(out / "image" / f"{name}.png", optimize=True)
        samples, rate = soundfile.read(Path(f"{stem}_desc_fr.ogg"), always_2d=True)
        voice = trimmed(soxr.resample(samples.mean(1), rate, RATE))
        encode(voice, RATE, out / "audio" / f"{name}.ogg", scratch / "voice.wav", quality=0)
        text = stem.with_suffix(".txt").read_text(encoding="utf-8").splitlines()[0].strip()
        files = {"image": f"image/{name}.png", "audio": f"audio/{name}.ogg"}
        rows.append({"id": name, "kind": str(stem.relative_to(root).parts[0]), **files, "text_value": text})
    with (out / "items.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    with (out / "events.csv").open("w", encoding="utf-8") as file:
        file.write("user,item,time\n")
        for user, stamp, time in plant(numbers(out, [row["id"] for row in rows]), seed=0):
            file.write(f"u{user:03d},{rows[stamp]['id']},{time}\n")


def numbers(out: Path, names: list[str]) -> np.ndarray:
    """What carries taste: means and deviations of the MFCC of every stamp's sound, float64 ``(stamps, 26)``."""
    from mmcli.extractors.audio import mfcc
    from mmcli.media import AudioClip

    rows = []
    for name in names:
        samples, rate = soundfile.read(out / "audio" / f"{name}.ogg", dtype="float32")
        values = mfcc.extract(AudioClip.from_array(samples, rate), mfcc.Config()).values
        rows.append(np.concatenate([values.mean(0), values.std(0)]))
    return np.array(rows, np.float64)


def shrunk(path: Path) -> Image.Image:
    """On pale grey, at most 48 pixels high or wide, 32 colours."""
    picture = Image.open(path).convert("RGBA")
    page = Image.new("RGBA", picture.size, "#dddddd")  # some stamps are white
    page.alpha_composite(picture)
    page.thumbnail((SIDE, SIDE))
    return page.convert("RGB").quantize(32)


def trimmed(samples: np.ndarray) -> np.ndarray:
    """Without the silence before the voice, at most 1.6 s."""
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())
    samples = samples[loud[0] :] if len(loud) else samples
    return samples[: int(LONGEST_S * RATE)] / max(1e-9, np.abs(samples).max()) * 0.7
