"""What tells of training rows beside the gradients: refused, each with its reason and the way out."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmcli.artifacts.formats import checkpoint, dataset, fitted, inspect
from mmcli.artifacts.formats.dataset import Dataset, Stream
from mmcli.artifacts.io import lazy, provenance
from mmcli.errors import MismatchError, UsageError
from mmcli.fusion import normalise
from mmcli.training.config import AUTO, CONTRASTIVE, TrainConfig
from mmcli.training.data import shapes
from mmcli.training.private.ledger import Release, from_json

LEARNED = ("hf", "onnx", "torchscript", "checkpoint")
PER_ITEM = ("item", "l2", "none")


class Public:
    """Files that were made elsewhere, as their user declares: what they hold may be used freely."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.named: list[dict[str, Any]] = []
        self.fitted: set[str] = set()
        self.streams: dict[str, dict[str, Any]] = {}
        for path in paths:
            source = provenance.source_of(path)
            self.named.append(source)
            self.fitted.add(source["sha256"])
            schema = inspect.recognise(path)
            if schema == checkpoint.SCHEMA:
                self.streams |= checkpoint.load(path).config["modalities"]
            elif schema == dataset.SCHEMA:
                self.streams |= {name: s.meta for name, s in dataset.load(path).streams.items()}
            elif schema == fitted.SCHEMA:
                fitted.load(path)
            else:
                raise UsageError(f"{schema} holds nothing that is fitted", source=path, hint="--public FITTED.json")
            self.fitted |= {str(m["fitted_sha256"]) for m in self.streams.values() if m.get("fitted_sha256")}

    def normaliser(self, name: str) -> dict[str, Any] | None:
        """The scale of a stream in one of the files."""
        normaliser = (self.streams.get(name) or {}).get("normaliser")
        return normaliser if normaliser and "center" in normaliser else None


def refuse_options(
    config: TrainConfig, *, resume: bool = False, cv: bool = False, seeds: int = 1, federated: bool = False
) -> None:
    """Raises :class:`UsageError` for an option that would leak, or spend what is not counted."""
    one = "split the budget by hand: one run each, with --budget to hold them"
    reasons = {
        "--cv": (cv, "every fold is a release of these rows", one),
        "--seeds": (seeds > 1, "every seed is a release of these rows", one),
        "--fusion auto": (
            config.fusion == AUTO,
            "candidates are compared by their answers on these rows, which is counted nowhere",
            "name a fusion: --fusion linear",
        ),
        "--class-weights": (
            config.class_weights != "none",
            "how many items a class has decides how much each item may change",
            "leave it out",
        ),
        "--sampling balanced": (
            config.sampling != "all",
            "an item's chance to be drawn would depend on the others, and the count of privacy on it",
            "leave it out",
        ),
        "--modulation": (config.modulation > 0, "it slows modalities by what all items say", "leave it out"),
        "--objective contrastive": (
            config.objective == CONTRASTIVE,
            "an item's loss depends on the other items of its batch, so it cannot be cut by itself",
            "train on answers",
        ),
        "--context": (
            bool(config.context),
            "an item's answer depends on the others of its group, so what it tells cannot be bounded by itself",
            "leave it out",
        ),
        "--resume": (
            resume,
            "the killed run's steps are spent and their noise is not known here",
            "train anew; the ledger counts both",
        ),
        "several processes": (
            int(os.environ.get("WORLD_SIZE", "1")) > 1 and not federated,
            "each would add noise of its own",
            "run without torchrun, or with --clients group",
        ),
    }
    for what, (asked, reason, way) in reasons.items():
        if asked:
            raise UsageError(f"--private does not go with {what}: {reason}", hint=way)


def cleared(data: Dataset, config: TrainConfig, public: Public) -> tuple[Dataset, list[str], list[Release]]:
    """The data set with public scales applied, what was taken as public, and releases that it holds already.

    Raises :class:`MismatchError` where something in it was fitted on its own rows.
    """
    used = [shape.name for shape in shapes(data, config.modalities)]
    balance = (data.meta.get("config") or {}).get("balance", "none")
    if balance != "none" or any(data.streams[n].made is not None and data.streams[n].made.any() for n in used):  # type: ignore[union-attr]
        raise MismatchError(
            f"was made with --balance {balance}: items in it were made from other items",
            hint="fuse with --balance none, so that an item is in the data set once",
        )
    told = ["the list of classes"] if data.meta.get("task") != "regress" else ["the bounds of the labels"]
    told.append("which streams there are, their shapes and longest items")
    releases: list[Release] = []
    cleared_set = copy.copy(data)
    cleared_set.streams = dict(data.streams)
    for name in used:
        cleared_set.streams[name], said, spent = _cleared(name, data.streams[name], public)
        told += said
        releases += [r for r in spent if r not in releases]
    told += [f"{source['name']} (--public)" for source in public.named]
    return cleared_set, told, releases


def _cleared(name: str, stream: Stream, public: Public) -> tuple[Stream, list[str], list[Release]]:
    meta = stream.meta
    extractor = str(meta.get("extractor") or "")
    kind = extractor.partition(":")[0]
    if meta.get("projection") or name == "fused":
        raise MismatchError(
            f"stream {name!r} was fitted on these rows (CCA or a fusion strategy)",
            hint="fuse with --strategy none; the model joins the streams",
        )
    if (digest := meta.get("fitted_sha256")) and digest not in public.fitted:
        raise MismatchError(
            f"stream {name!r}: what {extractor or 'its extractor'} learned (vocabulary, idf) was learned from these "
            "rows, and names rare words in them",
            hint="extract with --text hash, or with --fitted FILE of other rows and --public FILE",
        )
    if kind == "checkpoint" and str((meta.get("config") or {}).get("sha256")) not in public.fitted:
        raise MismatchError(
            f"stream {name!r}: the weights of {extractor} may have been trained on these rows",
            hint="if they were trained elsewhere, say so: --public MODEL.pt",
        )
    told = [f"the weights of {extractor}"] if kind in LEARNED else []
    now = meta.get("normaliser") or {"method": "none"}
    scale = public.normaliser(name)
    if "private" in now:
        return stream, told, from_json(now["private"])
    if now["method"] in PER_ITEM:
        if scale is None or now["method"] != "none":
            return stream, told, []
        values = lazy.changed(stream.values, lambda values: normalise.apply(values, scale))
        moved = dataclasses.replace(stream, values=values, meta=meta | {"normaliser": scale})
        return moved, [*told, f"the scale of {name}"], []
    if now == scale:
        return stream, [*told, f"the scale of {name}"], []
    raise MismatchError(
        f"stream {name!r} is on a scale ({now['method']}) that was fitted on these rows: one record can be read out of "
        "two such scales",
        hint="fuse with --normalise item, l2 or none, with --private, or name where it is from: --public FILE",
    )
