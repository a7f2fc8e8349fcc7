"""What a person meets in media files, made by ffmpeg, sox and mkvmerge: container x codec x trouble, a cell each."""

from __future__ import annotations

import hashlib

from matrix import pictures, sound, tracks
from matrix.cell import Cell


def cells() -> list[Cell]:
    """All of them, in the order of their rooms."""
    return [
        *sound.plain(), *sound.mp3(), *sound.ogg(), *sound.flac(),
        *tracks.tracks(), *tracks.packets(), *pictures.pictures(),
    ]  # fmt: skip


def share(one_in: int) -> list[Cell]:
    """One in so many, drawn by the digest of the name: the same ones until a name changes."""
    return [c for c in cells() if int(hashlib.sha256(c.name.encode()).hexdigest(), 16) % one_in == 0]
