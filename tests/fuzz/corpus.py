"""The inputs that the searches found worth keeping: each reaches a branch that none before it did, or broke a reader.

They lie in tests/golden/corpus, an archive a target, and every run of the tests reads them.

    python corpus.py unpack TARGET FOLDER       to go on from them
    python corpus.py pack TARGET FOLDER         the smallest set that reaches what FOLDER reaches, with what broke

A search reaches the same with fewer bytes the longer it runs; packing keeps entries of up to ``MOST`` bytes.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PLACE = Path(__file__).parent.parent / "golden" / "corpus"
MOST = 1500


def entries(name: str) -> list[tuple[str, bytes]]:
    """Names and bytes of what is kept of a target; none where nothing is."""
    path = PLACE / f"{name}.zip"
    if not path.exists():
        return []
    with zipfile.ZipFile(path) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def unpack(name: str, folder: Path) -> None:
    """A file for each entry."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in entries(name):
        (folder / file).write_bytes(data)


def pack(name: str, folder: Path) -> int:
    """Merge a folder, its findings and what is kept into the archive; returns the number of its entries."""
    broke = [path.read_bytes() for path in folder.with_name(folder.name + ".findings").glob("*")]
    broke += [data for file, data in entries(name) if file.startswith("broke-")]
    with tempfile.TemporaryDirectory() as scratch:
        before, merged = Path(scratch, "before"), Path(scratch, "merged")
        unpack(name, before)
        merged.mkdir()
        search = [sys.executable, str(Path(__file__).parent / "search.py"), name, str(merged), "0"]
        subprocess.run([*search, "-merge=1", str(before), str(folder)], check=True, capture_output=True)
        reached = [path.read_bytes() for path in merged.iterdir() if path.stat().st_size <= MOST]
    named = {f"{hashlib.sha256(data).hexdigest()[:12]}": data for data in reached}
    named |= {f"broke-{hashlib.sha256(data).hexdigest()[:12]}": data for data in broke}
    PLACE.mkdir(exist_ok=True)
    with zipfile.ZipFile(PLACE / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(named):
            archive.writestr(zipfile.ZipInfo(file), named[file], zipfile.ZIP_DEFLATED)
    return len(named)


if __name__ == "__main__":
    what, target, place = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    print(f"{target}: {pack(target, place)} entries" if what == "pack" else unpack(target, place) or "")
