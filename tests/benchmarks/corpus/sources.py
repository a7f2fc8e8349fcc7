"""The recordings of the sources, unpacked into the cache folder and dealt to choose, check and last; those of last2,
check2 and last3 as they are.

A recording is dealt once, by the digest of its name and SALT, in turn within its source: whatever is made of it stays
on that side. Rooms and noises are dealt too.
"""

from __future__ import annotations

import hashlib
import json
import re
import string
import subprocess
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from fresh import FRESH, SENTENCES
from table import SOURCES, Collection
from unseen import LINES, UNSEEN

SALT = "mmcli corpus 1"
SPLITS = ("choose", "check", "last")
EVERY = (*SOURCES, *FRESH, *UNSEEN)
TAKEN_WHOLE = ("last2", "check2", "last3")  # their sources are not dealt
BESIDE = (
    "_annotations.txt",
    ".match",
    "Accelerometer.csv",
    "Accelerometer2.csv",
    "Accelerometer_2.csv",
    "Linear Acceleration.csv",
    "Accelerometer_3.csv",
    "Accelerometer_v3.csv",
    "Linear Acceleration2.csv",
)  # beside a performance, a gyroscope
MOST_BYTES = 4 << 20  # larger files are absent from some snapshots


@dataclass(frozen=True)
class Recording:
    """One file: ``group`` is what is never divided, ``split`` where it was dealt."""

    path: str
    source: str
    kind: str
    group: str
    split: str
    language: str

    @property
    def name(self) -> str:
        """As it stands in a pair's list of sources."""
        return f"{self.source}/{self.group}/{Path(self.path).name}"


def dealt(source: str, groups: set[str]) -> dict[str, str]:
    """Each group's split, by the digest of its name, in turn.

    >>> sorted(dealt("x", {"a", "b", "c"}).values())
    ['check', 'choose', 'last']
    """
    order = sorted(groups, key=lambda g: hashlib.sha256(f"{SALT}|{source}|{g}".encode()).hexdigest())
    # what is dealt first differs by source, else choose would get the odd one of each
    first = int(hashlib.sha256(f"{SALT}|{source}".encode()).hexdigest(), 16)
    return {g: SPLITS[(first + i) % 3] for i, g in enumerate(order)}


def unpacked(source: Collection, cache: Path, repos: Path, shared: Path) -> list[tuple[str, Path]]:
    """(group, file) of each file of a source, as unpacked under ``cache``."""
    origin, _, where = source.origin.partition(":")
    pattern = re.compile(source.files)
    if origin == "shared":
        files = {p.name: p for p in sorted((shared / where).iterdir())}
    elif origin in ("espeak", "flite"):
        files = _spoken(origin, *where.partition(":")[::2], cache)
    elif origin == "debian":
        files = {
            str(p.relative_to(root)): p for root in (_package(where, cache),) for p in root.rglob("*") if p.is_file()
        }
    else:
        files = _of_repository(where, pattern, cache, repos)
    chosen = []
    for name, path in sorted(files.items()):
        match = pattern.fullmatch(name)
        if match and path.stat().st_size < MOST_BYTES * (4 if origin == "debian" else 1):
            chosen.append((match.group(1), path))
    if not chosen:
        raise SystemExit(f"{source.origin}: no file is named like {source.files}")
    return chosen


def _spoken(program: str, voice: str, what: str, cache: Path) -> dict[str, Path]:
    """Digits, numbers and letters, or the sentences, by espeak-ng or flite."""
    root = cache / "packages" / program / (f"{voice}_{what}" if what else voice)
    root.mkdir(parents=True, exist_ok=True)
    words = {w: w for w in [*map(str, range(21)), *map(str, range(30, 100, 10)), *string.ascii_lowercase]}
    if what:
        words = {str(i): s for i, s in enumerate(SENTENCES if what == "sentences" else LINES[what])}
    for name, said in words.items():
        path = str(root / f"{name}.wav")
        if not Path(path).exists():
            flite = ["flite", "-voice", voice, "-t", said, "-o", path]
            subprocess.run(flite if program == "flite" else ["espeak-ng", "-v", voice, "-w", path, said], check=True)
    return {p.name: p for p in sorted(root.iterdir())}


def _package(name: str, cache: Path) -> Path:
    """A Debian package's files."""
    root = cache / "packages" / name
    if not root.exists():
        fetched = cache / "packages" / "fetched"
        fetched.mkdir(parents=True, exist_ok=True)
        if not list(fetched.glob(f"{name}_*.deb")):
            subprocess.run(["apt-get", "download", "-qq", name], cwd=fetched, check=True)
        subprocess.run(["dpkg", "-x", str(next(fetched.glob(f"{name}_*.deb"))), str(root)], check=True)
    return root


def _of_repository(name: str, pattern: re.Pattern[str], cache: Path, repos: Path) -> dict[str, Path]:
    """The files of a bare clone whose path fits, written under the cache."""
    git = repos / name.replace("/", "+") / "repo"
    git = git / ".git" if (git / ".git").exists() else git
    if not git.exists():
        raise SystemExit(f"{git} is missing: git clone --mirror the repository {name} there")
    listed = subprocess.run(
        ["git", f"--git-dir={git}", "ls-tree", "-r", "-l", "-z", "HEAD"], capture_output=True, check=True
    ).stdout.decode("utf-8", "surrogateescape")
    files: dict[str, Path] = {}
    for line in listed.split("\0"):
        meta, _, path = line.partition("\t")
        if not pattern.fullmatch(path) and not path.endswith(BESIDE):
            continue
        size = meta.split()[3]
        if not size.isdigit() or int(size) >= MOST_BYTES:
            continue
        target = cache / "repositories" / name.replace("/", "+") / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            blob = subprocess.run(["git", f"--git-dir={git}", "cat-file", "blob", meta.split()[2]], capture_output=True)
            if blob.returncode:
                continue  # listed, but not in the snapshot
            target.write_bytes(blob.stdout)
        files[path] = target
    return files


def recordings(cache: Path, repos: Path, shared: Path) -> list[Recording]:
    """All of them, unpacked on the first call and remembered in ``cache``/recordings.json."""
    memo = cache / "recordings.json"
    stamp = hashlib.sha256(repr((EVERY, SENTENCES, LINES, SALT)).encode()).hexdigest()
    if memo.exists():
        kept = json.loads(memo.read_text())
        if kept["stamp"] == stamp:
            return [Recording(**r) for r in kept["recordings"]]
    rows: list[Recording] = []
    groups: dict[str, set[str]] = defaultdict(set)
    taken = []
    for source in EVERY:
        for group, path in unpacked(source, cache, repos, shared):
            # sources of one kind that read the same words are dealt by the words
            dealt_as = (
                f"words_{source.language}"
                if source.kind == "words"
                else source.kind
                if source.kind in ("prompt", "told")
                else source.name
            )
            if not source.split:
                groups[dealt_as].add(group)
            taken.append((source, dealt_as, group, path))
    splits = {name: dealt(name, members) for name, members in groups.items()}
    for source, dealt_as, group, path in taken:
        rows.append(
            Recording(
                str(path), source.name, source.kind, group, source.split or splits[dealt_as][group], source.language
            )
        )
    memo.write_text(json.dumps({"stamp": stamp, "recordings": [asdict(r) for r in rows]}))
    return rows
