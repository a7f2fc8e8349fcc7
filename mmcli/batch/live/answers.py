"""Rows ``id, modality, t`` and values, text or a path, as they arrive, to answers: what ``predict --stream`` prints.

``t`` is put on the reference clock where its modality has a map, and every line has it so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmcli.artifacts.formats import manifest
from mmcli.artifacts.formats.timemap import TimeMap
from mmcli.batch.jobs import predictions
from mmcli.batch.live.join import Event, Join, Options
from mmcli.batch.plan import inputs, raw
from mmcli.errors import InputError, MmcliError
from mmcli.training.fit.meaning import line as line_of

KEYS = {"id", "modality", "t", "values", "text", "path", "ack"}
MAX_LINE = 64 << 20  # bytes of a row


class Model(Protocol):
    """What is asked: a :class:`.fit.plain.Plain` or :class:`.fit.incremental.Incremental` of :mod:`mmcli.training`."""

    name: str
    task: str
    classes: list[str] | None
    modalities: dict[str, dict[str, Any]]
    names: list[str]

    @property
    def recomputes(self) -> bool:
        """Whether part of it is computed anew for each answer."""

    def encode(self, name: str, values: Any) -> Any:
        """The code of a modality."""

    def answer(self, codes: Mapping[str, Any]) -> np.ndarray:
        """The logits ``(outputs,)`` of codes by modality."""

    def meaning(self, logits: Any) -> tuple[Any, Any]:
        """Probabilities or values of logits ``(n, outputs)``."""


def asked(path: Path, device: str = "auto") -> Model:
    """The model of a checkpoint file, in numpy where that is enough for it, else in torch.

    Raises :class:`ArtifactError` where it is damaged or cannot be built, :class:`MismatchError` for one that has no
    answers.
    """
    from mmcli.training.fit import plain

    small = plain.load(path) if device in ("auto", "cpu") else None
    if small is not None:
        return small
    from mmcli.training.fit import predictor
    from mmcli.training.fit.incremental import Incremental

    return Incremental(predictor.load(path, device))


class Answers:
    """Lines in, objects out: answers, and what came too late or twice. Bad rows go to ``refuse(row, reason)``."""

    def __init__(
        self,
        model: Model,
        options: Options,
        refuse: Callable[[str, str], None],
        *,
        final_only: bool = False,
        threshold: float | None = None,
        ack: bool = False,
        maps: Mapping[str, TimeMap] | None = None,
    ) -> None:
        self.model, self.refuse = model, refuse
        self.join = Join(self.model.names, options)
        self.final_only, self.threshold, self.ack = final_only, threshold, ack
        self.maps = {self._modality(name): clock for name, clock in (maps or {}).items()}
        self.number = 0
        self.extract: raw.Model | None = None
        self.item = inputs.reading_rows(Path())

    def row(self, line: bytes, now: float) -> Iterator[dict[str, Any]]:
        """What comes of one line; ``now`` is the clock in seconds."""
        self.number += 1
        token: Any = self.number
        try:
            row = _parsed(line)
            token = row.get("ack", self.number)
            identifier, modality = row["id"], self._modality(row["modality"])
            t = self._on_reference(modality, float(row["t"]))
            self.join.admit(t)
            counts = not self.join.holds(identifier, modality) and not self.join.is_late(identifier, t)
            code = self._code(row, modality) if counts else None
        except MmcliError as problem:
            self.refuse(f"row {self.number}", str(problem).replace("\n", "; "))
            if self.ack:
                yield {"ack": token}
            return
        for event in self.join.push(identifier, modality, t, code, now, token):
            if event.kind == "late":
                yield {"id": identifier, "late": modality, "t": t, "behind": round(event.behind, 3)}
            elif event.kind == "duplicate":
                yield {"id": identifier, "duplicate": modality, "t": t}
            else:
                yield from self._answer(event)
                continue
            if self.ack:
                yield {"ack": token}

    def tick(self, now: float) -> Iterator[dict[str, Any]]:
        """What time alone brings."""
        for event in self.join.tick(now):
            yield from self._answer(event)

    def end(self) -> Iterator[dict[str, Any]]:
        """The finals of all that is open."""
        for event in self.join.end():
            yield from self._answer(event)

    def _answer(self, event: Event) -> Iterator[dict[str, Any]]:
        item = event.item
        assert item is not None
        final = event.kind == "final"
        if final or not self.final_only:
            logits = self.model.answer(item.codes)[None]
            probabilities, values = self.model.meaning(logits)
            there = [name for name in self.model.names if name in item.codes]
            line = line_of(item.id, self.model.task, self.model.classes, probabilities, values, there)
            if self.threshold is not None:
                predictions.apply(self.threshold, line, self.model.task)
            line |= {"revision": item.revision, "final": final, "t": item.t}
            yield line | ({"why": event.why} if final else {})
        if final and self.ack:
            for token in item.rows:
                yield {"ack": token}

    def _on_reference(self, modality: str, t: float) -> float:
        """The time on the reference clock. Raises :class:`InputError` where the modality's map has none."""
        if modality not in self.maps or not math.isfinite(t):
            return t
        on = float(self.maps[modality].to_reference(t))
        if math.isnan(on):
            raise InputError(f"t is {t:g}, for which the map of {modality} has no time")
        return on

    def _modality(self, name: str) -> str:
        known = self.model.modalities
        if name in known:
            return name
        same = [stream for stream, meta in known.items() if meta.get("modality") == name]
        if len(same) != 1:
            raise InputError(f"the modality {name!r} is none of the model's ({', '.join(known)})")
        return same[0]

    def _code(self, row: dict[str, Any], modality: str) -> Any:
        if "values" in row:
            try:
                values = np.asarray(row["values"], np.float32)
            except (ValueError, TypeError, OverflowError) as problem:
                raise InputError(f"values are no array of numbers ({problem})") from problem
            return self.model.encode(modality, values)
        if self.extract is None:
            self.extract = raw.Model(self.model.modalities, self.model.name)
        kind = str(self.model.modalities[modality].get("modality") or modality.partition(".")[0])
        cell = {"text_value": str(row["text"])} if "text" in row else {kind: str(row["path"])}
        made = raw.planned([self.item(manifest.Row(row["id"], cell))], self.extract)
        (its,) = raw.cells(made)
        read = self.extract.read(its)
        if modality not in read:
            raise InputError(f"the row holds no {modality}")
        return self.model.encode(modality, np.asarray(read[modality].values))


def _parsed(line: bytes) -> dict[str, Any]:
    """A row, checked for its keys. Raises :class:`InputError`."""
    if not line.endswith(b"\n"):
        raise InputError("the stream ends inside a line")
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as problem:
        raise InputError(f"is no JSON object ({problem})") from problem
    if not isinstance(row, dict):
        raise InputError("is no JSON object")
    for key in ("id", "modality", "t"):
        if key not in row:
            raise InputError(f"has no {key}")
    if unknown := set(row) - KEYS:
        raise InputError(f"has the unknown key {min(unknown)!r}")
    if not isinstance(row["id"], str) or not row["id"] or not isinstance(row["modality"], str):
        raise InputError("id and modality have to be text")
    if type(row["t"]) not in (int, float):
        raise InputError(f"t is {row['t']!r}, no number")
    if sum(key in row for key in ("values", "text", "path")) != 1:
        raise InputError("needs one of values, text and path")
    return row


def lines_of(read: Callable[[float], bytes | None], waiting_s: float) -> Iterator[bytes | None]:
    """Lines as they come, the last one with or without its newline; None when nothing came for ``waiting_s``.

    ``read(seconds)``: the bytes that are there, none at the end, None where nothing comes for so long. Raises
    :class:`InputError` for a line that does not end.
    """
    held: list[bytes] = []
    size = 0
    while (data := read(waiting_s)) != b"":
        if data is None:
            yield None
            continue
        *whole, rest = data.split(b"\n")
        for line in whole:
            yield b"".join([*held, line, b"\n"])
            held, size = [], 0
        held.append(rest)
        size += len(rest)
        if size > MAX_LINE:
            raise InputError(f"a line of more than {MAX_LINE:,} bytes", source="standard input")
    if any(held):
        yield b"".join(held)


def rows_of(lines: Iterable[bytes | None], answers: Answers, clock: Callable[[], float]) -> Iterator[dict[str, Any]]:
    """Everything that comes of the lines of a stream, but for the finals at its end."""
    for line in lines:
        if line is None:
            yield from answers.tick(clock())
        elif line.strip():
            yield from answers.row(line, clock())
