"""What a model says along long recordings, as spans: what ``mmcli predict --window`` calls.

A recording is answered window by window (:mod:`mmcli.batch.plan.windows`); neighbouring windows with the same answer
are one span. Of a model of sets of labels each label has spans of its own, which may overlap; of numbers each window
is one. A span is told as soon as it has ended, so that sound from a pipe is answered while it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmcli import extractors
from mmcli.batch.jobs import predictions
from mmcli.batch.plan import inputs, raw, windows
from mmcli.batch.plan.windows import Windows
from mmcli.errors import MismatchError, MmcliError
from mmcli.media import AudioClip

Failed = Callable[[str, str], None]
Line = dict[str, Any]


@dataclass
class _Open:
    """A span that may go on."""

    start: float
    end: float
    chances: list[float] = field(default_factory=list)


class Joined:
    """The answers of windows in order, joined: :meth:`add` and :meth:`end` give the lines of spans that have ended."""

    def __init__(self, identifier: str, task: str) -> None:
        self.id, self.task = identifier, task
        self.open: dict[str, _Open] = {}

    def add(self, start: float, end: float, answer: Mapping[str, Any]) -> Iterator[Line]:
        """What the window says of the time from ``start`` to ``end``, seconds, as ``predict`` says it of an item."""
        if self.task == "regress":
            yield {"id": self.id, "start": _rounded(start), "end": _rounded(end), "prediction": answer["prediction"]}
            return
        chances = answer["probabilities"]
        said = answer["prediction"]
        labels = said if self.task == "multilabel" else [] if said is None else [said]
        yield from self._closed([label for label in self.open if label not in labels])
        for label in labels:
            span = self.open.setdefault(label, _Open(start, end))
            span.end = end
            span.chances.append(float(chances[label]))

    def end(self) -> Iterator[Line]:
        """The spans that the recording's end ends."""
        yield from self._closed(list(self.open))

    def _closed(self, labels: Sequence[str]) -> Iterator[Line]:
        for label in sorted(labels, key=lambda label: (self.open[label].start, label)):
            span = self.open.pop(label)
            yield {
                "id": self.id,
                "start": _rounded(span.start),
                "end": _rounded(span.end),
                "prediction": label,
                "probability": float(np.mean(span.chances)),
            }


def _rounded(seconds: float) -> float:
    """Whole microseconds: steps of 0.1 s add up to what people expect."""
    return round(seconds, 6)


def of_files(
    chosen: Any,
    sources: Sequence[str],
    how: Windows,
    *,
    threshold: float | None = None,
    time_unit: str | None = None,
    failed: Failed,
) -> Iterator[Line]:
    """The spans of every recording that files, folders and manifests name, in their order.

    ``chosen`` is a :class:`mmcli.training.fit.predictor.Predictor`. A window that cannot be read, or a recording, is
    told to ``failed`` with the reason; the spans about a window that is missing end there.
    """
    predictions.refuse_threshold(chosen, threshold)
    model = raw.Model(chosen.modalities, chosen.name, time_unit)
    for item in inputs.gather(sources).items:
        try:
            if item.refusal is not None:
                raise item.refusal
            pieces = windows.cut(item, how)
            duration = windows.duration_of(item)
            made = raw.planned(pieces, model)
        except MmcliError as error:
            failed(item.id, str(error).replace("\n", "; "))
            continue
        joined = Joined(item.id, chosen.task)
        every = list(zip(made.items, raw.cells(made), strict=True))
        place = {piece.id: number for number, piece in enumerate(made.items)}
        first = item.start or 0.0
        following = 0
        for start in range(0, len(every), raw.AT_ONCE):
            chunk = raw.chunk(every[start : start + raw.AT_ONCE], model)
            for name, reason in chunk.failed:
                failed(name, reason)
            if chunk.dataset is None:
                continue
            rows = np.arange(chunk.dataset.items, dtype=np.int64)
            for answer in predictions.lines(chosen, chunk.dataset, rows, threshold=threshold):
                number = place[answer["id"]]
                if number != following:
                    yield from joined.end()
                following = number + 1
                begin, end = how.stretch(number, len(every), duration)
                yield from joined.add(first + begin, first + end, answer)
        yield from joined.end()


def of_sound(
    chosen: Any,
    rate: int,
    pieces: Iterable[NDArray[np.float32]],
    how: Windows,
    *,
    threshold: float | None = None,
    name: str = "stdin",
) -> Iterator[Line]:
    """The spans of sound that comes in pieces, float32 ``(n,)`` at ``rate`` Hz; what was answered is not kept.

    A window is answered once it has come in whole and the next one has begun, or the sound has ended. Raises
    :class:`MismatchError` where the model reads no sound.
    """
    predictions.refuse_threshold(chosen, threshold)
    model = raw.Model(chosen.modalities, chosen.name)
    heard = [one for one in model.loaded.values() if one.modality == "audio" and one.module is not None]
    if not heard:
        raise MismatchError(f"reads {', '.join(model.loaded)}, and no sound", source=chosen.name)
    joined = Joined(name, chosen.task)

    def answered(number: int, samples: NDArray[np.float32], until: float) -> Iterator[Line]:
        clip = AudioClip.from_array(samples, rate, name)
        by_stream = {one.name: extractors.run(one.module, clip, one.config, one.state) for one in heard}
        data = model.dataset([name], {name: by_stream})
        (answer,) = predictions.lines(chosen, data, np.zeros(1, np.int64), threshold=threshold)
        begin, end = how.stretch(number, -1, until)
        yield from joined.add(begin, end, answer)

    held = np.zeros(0, np.float32)
    dropped, number = 0, 0  # samples that no window needs any more; windows that were answered
    wanted = round(how.window * rate)
    last: NDArray[np.float32] | None = None  # a window that is whole, until it is known whether it is the last one
    for piece in pieces:
        held = np.concatenate([held, piece])
        while True:
            begin = round((number + (last is not None)) * how.hop * rate) - dropped
            if len(held) < begin + wanted:
                break
            if last is not None:
                yield from answered(number, last, float("inf"))
                number += 1
            last = held[begin : begin + wanted].copy()
            held, dropped = held[begin:], dropped + begin
    duration = (dropped + len(held)) / rate
    if last is None:
        last = held
    if len(last):
        yield from answered(number, last, duration)
        for span in joined.open.values():
            span.end = duration
    yield from joined.end()
