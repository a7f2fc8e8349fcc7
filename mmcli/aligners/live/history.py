"""What was shown of a stream, kept short: ten rows a second, and one wherever it jumped or its state changed."""

from __future__ import annotations

import threading
from typing import Any

from mmcli.aligners.live.follower import STATES, Shown

EVERY_S = 0.1
MOST = 36_000  # rows, an hour; with more every second one goes, again and again

Row = list[Any]  # t, position, half-width or None, index of the state, pace, whether it jumped here


class History:
    """The rows so far. Others may wait for more: ``changed`` is notified of each, ``ended`` says that none comes.

    >>> from mmcli.aligners.live.follower import Shown
    >>> h = History()
    >>> for k in range(10):
    ...     h.add(Shown(k / 50, k / 50, 0.01, "playing", 1.0, False))
    >>> [row[0] for row in h.rows]
    [0.0, 0.1]
    """

    def __init__(self, every_s: float = EVERY_S, most: int = MOST) -> None:
        self.every_s, self.most = every_s, most
        self.rows: list[Row] = []
        self.thinned = 0  # how often rows were taken away: what was read before is no longer the beginning
        self.ended = False
        self.changed = threading.Condition()
        self.next = 0.0
        self.state = ""

    def add(self, shown: Shown) -> None:
        """One moment more."""
        if shown.t < self.next and not shown.jump and shown.state == self.state:
            return
        self.next = shown.t + self.every_s - 1e-6
        width = None if shown.halfwidth is None else round(shown.halfwidth, 3)
        row = [round(shown.t, 2), round(shown.position, 3), width, STATES.index(shown.state), round(shown.pace, 2)]
        with self.changed:
            self.state = shown.state
            self.rows.append([*row, int(shown.jump)])
            if len(self.rows) > self.most:
                self._thin()
            self.changed.notify_all()

    def end(self) -> None:
        """Nothing comes any more."""
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def since(self, thinned: int, count: int, seconds: float) -> tuple[int, list[Row], bool]:
        """Waits at most so long for more than the ``count`` rows that were read when it was ``thinned`` so often.

        How often it is thinned now, the new rows (all where that changed), and whether it has ended.
        """
        with self.changed:
            self.changed.wait_for(
                lambda: self.ended or self.thinned != thinned or len(self.rows) > count, timeout=seconds
            )
            return self.thinned, self.rows[count if self.thinned == thinned else 0 :], self.ended

    def _thin(self) -> None:
        before = [-1, *(row[3] for row in self.rows[:-1])]
        rows = zip(self.rows, before, strict=True)
        self.rows = [row for k, (row, state) in enumerate(rows) if k % 2 == 0 or row[5] or row[3] != state]
        self.most = max(self.most, 2 * len(self.rows))  # a stream that jumps and changes all the time
        self.every_s *= 2
        self.thinned += 1
