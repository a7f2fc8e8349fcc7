"""Raw files as a model wants them: its own extractors, with their fitted states, run over whatever is there.

A model keeps the extractor, configuration and fitted state of each modality. Here files, folders and manifests become
data sets of those streams, a few items at a time; what an item lacks is absent, as in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmcli import extractors
from mmcli.artifacts import features
from mmcli.artifacts.dataset import Dataset, Stream
from mmcli.artifacts.features import Features
from mmcli.batch import inputs, plan, streams, task
from mmcli.errors import InputError, MismatchError, MmcliError, UsageError
from mmcli.extractors import weights
from mmcli.media import MediaOptions

AT_ONCE = 64  # items held at a time
# What a stream keeps of a model's facts about it; the values are as they were extracted, not yet normalised.
KEEP = ("kind", "modality", "extractor", "config", "config_sha256", "fitted_sha256", "vocabulary_size", "fitted")


@dataclass(frozen=True)
class Chunk:
    """Some items as a data set, None where all of them failed, and those that failed with their reasons."""

    dataset: Dataset | None
    failed: list[tuple[str, str]]


def is_raw(sources: Sequence[str]) -> bool:
    """Whether the sources hold anything to extract from: any file that is no features file and no data set."""
    if len(sources) == 1 and sources[0] == "-":
        return False
    found = inputs.gather(sources)
    return any(cell.modality not in plan.COPIED for item in found.items for cell in item.cells)


def chunks(sources: Sequence[str], modalities: Mapping[str, Mapping[str, Any]], name: str = "model") -> Iterator[Chunk]:
    """The items of files, folders and manifests as data sets of a model's streams, in order, 64 at a time.

    ``modalities`` is what the model keeps: ``{stream: {modality, extractor, config, fitted, shape, ...}}``. Cells that
    the model has no use for are passed over; an item without any that it can use has failed. Raises
    :class:`MismatchError` where the model was not trained on our extractors, or misses what one of them learned.
    """
    weights.folders.append(Path(name).parent)  # the models of encoders may lie beside the one that was trained on them
    loaded = {stream: _Loaded(stream, meta, name) for stream, meta in modalities.items()}
    wanted: dict[str, list[streams.Stream]] = {}
    for one in loaded.values():
        if one.module is not None and one.stream not in wanted.setdefault(one.modality, []):
            wanted[one.modality].append(one.stream)
    items = inputs.gather(sources).items
    if not items:
        raise UsageError("there is nothing to predict", hint="name files, a folder or a manifest")
    for start in range(0, len(items), AT_ONCE):
        some = items[start : start + AT_ONCE]
        made = plan.Plan(some, plan.tasks(some, wanted), {s.key: s for ones in wanted.values() for s in ones})
        yield _chunk(made, loaded)


class _Loaded:
    """One stream of a model: its extractor, ready to run; ``module`` is None where it brought its own features."""

    def __init__(self, name: str, meta: Mapping[str, Any], source: str) -> None:
        self.name, self.meta = name, meta
        self.modality = str(meta.get("modality") or name.partition(".")[0])
        self.module: Any = None
        extractor = meta.get("extractor")
        if extractor is None:
            return
        self.module = extractors.registry(self.modality).load(str(extractor))
        self.config = extractors.configured(self.module, meta.get("config") or {})
        self.state = meta.get("fitted")
        self.stream = streams.Stream(self.modality, str(extractor), self.config)
        if extractors.is_fitted(self.module) and self.state is None:
            raise MismatchError(
                f"does not carry what {extractor} learned for {name!r}, so it cannot read raw files",
                source=source,
                hint="run fuse with the fitted/ folder beside the manifest, and train again",
            )

    def takes(self, column: str) -> bool:
        """Whether this stream is what an output column of the plan holds."""
        return column == self.name or (self.name == self.modality and column.partition(".")[0] == self.modality)


def _chunk(made: plan.Plan, loaded: Mapping[str, _Loaded]) -> Chunk:
    found: dict[str, dict[str, Features]] = {}
    failed: dict[str, str] = {item.id: item.error for item in made.items if item.error is not None}
    for number, one in enumerate(made.tasks):
        item = made.items[one.item]
        if item.id in failed:
            continue
        try:
            for name, values in _of_task(made, number, loaded):
                found.setdefault(item.id, {})[name] = values
        except MmcliError as error:
            failed[item.id] = str(error).replace("\n", "; ")
    for item in made.items:
        if item.id not in failed and not found.get(item.id):
            failed[item.id] = f"has nothing that the model reads ({', '.join(loaded)})"
    kept = [item.id for item in made.items if item.id not in failed]
    dataset = _dataset(kept, found, loaded) if kept else None
    return Chunk(dataset, [(item.id, failed[item.id]) for item in made.items if item.id in failed])


def _of_task(made: plan.Plan, number: int, loaded: Mapping[str, _Loaded]) -> Iterator[tuple[str, Features]]:
    one = made.tasks[number]
    payload = plan.payload(made, number, Path(), None, force=True)
    if one.read_as == "map":
        raise UsageError("maps are applied by `mmcli fuse`: extract and fuse this manifest first")
    clip = None
    for key, (column, _) in one.outputs("").items():
        for stream in loaded.values():
            if not stream.takes(column):
                continue
            if one.read_as == "features":
                found = features.load(str(payload["path"]))
                _check(stream, found)
                yield stream.name, found
                continue
            if stream.module is None or stream.stream.key != key:
                continue
            if clip is None:
                rate = getattr(stream.config, "rate", None) if one.read_as == "series" else None
                options = MediaOptions(start=payload["start"], end=payload["end"], row=payload["row"], rate=rate)
                clip = task.open_cell(payload, options)
            if clip is None:  # a video without sound
                return
            yield stream.name, extractors.run(stream.module, clip, stream.config, stream.state)


def _dataset(ids: list[str], found: Mapping[str, Mapping[str, Features]], loaded: Mapping[str, _Loaded]) -> Dataset:
    made: dict[str, Stream] = {}
    for name, one in loaded.items():
        items = [found[identifier].get(name) for identifier in ids]
        there = [item for item in items if item is not None]
        frames = [0 if item is None else item.frames for item in items]
        shape = tuple(int(n) for n in one.meta["shape"])
        made[name] = Stream(
            np.concatenate([item.values for item in there]) if there else np.zeros((0, *shape), np.float32),
            np.concatenate([[0], np.cumsum(frames)]).astype(np.int64),
            np.concatenate([item.times for item in there]) if there else np.zeros(0),
            np.array([item is not None for item in items]),
            meta={key: one.meta[key] for key in KEEP if key in one.meta},
        )
    nothing = np.full(len(ids), "", dtype=np.str_)
    return Dataset(made, np.array(ids, dtype=np.str_), nothing, nothing)


def _check(one: _Loaded, item: Features) -> None:
    """Features from a file have to be what the model was trained on."""
    for key in ("extractor", "config_sha256", "fitted_sha256"):
        ours, theirs = one.meta.get(key), item.meta.get(key)
        if ours is not None and theirs is not None and ours != theirs:
            raise MismatchError(f"{one.name}: features of another {key} than the model was trained with")
    if item.width != int(np.prod(one.meta["shape"])):
        raise InputError(f"{one.name}: frames of {item.width} numbers; the model reads {one.meta['shape']}")
