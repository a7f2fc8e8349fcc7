"""A sound that several extractors read: decoded and resampled once, as long as it fits into a bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from mmcli.media import limits
from mmcli.media.clips import AudioClip, Float32


class KeptClip(AudioClip):
    """The same samples, remembered for each rate they were asked for.

    Together ``limits.KEPT_BYTES`` are held; what does not fit is decoded again every time, as without this class.

    >>> import numpy as np
    >>> clip = KeptClip.keeping(AudioClip.from_array(np.ones(800), rate=8000))
    >>> bool(np.array_equal(clip.samples(), clip.samples()))
    True
    """

    @classmethod
    def keeping(cls, clip: AudioClip) -> KeptClip:
        """A clip with the samples of another."""
        kept = cls(**{field.name: getattr(clip, field.name) for field in fields(clip)})
        kept._pieces = {}
        kept._room = limits.KEPT_BYTES
        return kept

    _pieces: dict[int, list[Float32]]
    _room: int

    def _resampled(self, rate: int) -> Iterator[Float32]:
        if rate in self._pieces:
            yield from self._pieces[rate]
            return
        pieces: list[Float32] | None = []
        held = 0
        for piece in super()._resampled(rate):
            held += piece.nbytes
            if held > self._room:
                pieces = None
            if pieces is not None:
                pieces.append(piece)
            yield piece
        if pieces is not None and rate not in self._pieces:  # two may have read at the same time
            self._pieces[rate] = pieces
            self._room -= held
