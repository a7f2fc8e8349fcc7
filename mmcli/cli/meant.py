"""What was probably meant, where a command cannot go on: the option by its name here, the file by what it is.

Asked only after something failed, so nothing here is in the way of what works.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmcli.errors import InputError, MmcliError

# Words of other programs, by command, for a field of a configuration here.
_WORDS = {
    "train": {
        "lr": "rate", "learning_rate": "rate", "batch_size": "batch", "weight_decay": "decay", "wd": "decay",
        "early_stopping": "patience", "hidden_size": "width", "hidden": "width", "dim": "width", "k_folds": "folds",
        "grad_clip": "clip", "max_grad_norm": "clip", "num_epochs": "epochs", "label_smoothing": "smoothing",
    },
    "extract": {
        "sr": "rate_hz", "sample_rate": "rate_hz", "n_mels": "bands", "n_mfcc": "coefficients", "hop_length": "hop_s",
        "win_length": "window_s",
    },
}  # fmt: skip
_FEATURES = re.compile(r"\.npz\b|\.(npy|h5|hdf5)\b[^,;\t]*#\d")
_FAMILIES = {"extract": "extractors", "align": "aligners", "fuse": "strategies"}


def option(error: BaseException, name: str) -> str | None:
    """What to write instead of an option that there is not; None where nothing here is called like it."""
    asked = str(getattr(error, "option_name", "") or "").lstrip("-").replace("-", "_")
    command = name.partition(" ")[2]
    if not asked or not command:
        return None
    field = _WORDS.get(command, {}).get(asked, asked)
    if command == "train":
        from mmcli.training.config import TrainConfig

        known = [one.name for one in dataclasses.fields(TrainConfig)]
        return f"--set train.{field}=VALUE sets it; `mmcli train --print-config` shows all" if field in known else None
    if command not in _FAMILIES:
        return None
    from mmcli.cli.kinds import registries

    for registry, _ in registries(_FAMILIES[command]):
        for member in registry.names():
            if field in {one.name for one in registry.described(member).fields}:
                return f"--set {member}.{field}=VALUE sets it for {member}; `mmcli list {member}` shows its fields"
    return None


DATASET, MODEL, MANIFEST = "a data set", "a model", "a manifest of features"
_MEDIA, _TABLE = "a manifest of media files", "a table without a column id"
_MADE_BY = {
    DATASET: "mmcli fuse manifest.jsonl -o data.npz",
    MODEL: "mmcli train data.npz -o model.pt",
    MANIFEST: "mmcli extract FILES -o features/",
}
_TAKEN: dict[str, list[set[str]]] = {
    "train": [{DATASET}],
    "evaluate": [  # spans, true and predicted, are tables
        {MODEL, DATASET, "a map of times", "a folder", MANIFEST, _MEDIA, _TABLE},
        {DATASET, "a map of times", _MEDIA, _TABLE},
    ],
    "predict": [{MODEL}],
    "fuse": [{MANIFEST, "features", _TABLE}],
}


def explained(error: BaseException, arguments: list[str], load: Callable[[str], Any]) -> BaseException:
    """The error; where a file of another kind stands in its place, one that names it and says what comes next.

    ``load`` gives the parser of a command by its name.
    """
    if not isinstance(error, InputError) or not arguments or arguments[0] not in _TAKEN:
        return error
    places = _TAKEN[arguments[0]]
    files = [path for word in _positional(arguments, load) if (path := Path(word)).exists()]
    kinds = [kind_of(path) for path in files[: len(places)]]
    if arguments[0] == "evaluate" and len(kinds) > 1 and (kinds[0][0] == MODEL or kinds[1][0] == DATASET):
        places = [{MODEL, "a folder"}, {DATASET}]
    for path, (kind, following), wanted in zip(files, kinds, places, strict=False):
        if kind and kind not in wanted:
            here = next(name for name in (MODEL, DATASET, MANIFEST) if name in wanted)
            verb = "holds" if kind == "features" else "is"
            return InputError(f"{verb} {kind}; {here} is needed here", source=path, hint=following or _MADE_BY[here])
    return error


def _positional(arguments: list[str], load: Callable[[str], Any]) -> list[str]:
    """The words that are neither options nor their values."""
    flags = {name for p in load(arguments[0]).params if getattr(p, "is_flag", False) for name in p.opts}
    words, value = [], False
    for word in arguments[1:]:
        if word.startswith("-") and len(word) > 1:
            value = word not in flags and "=" not in word
        elif value:
            value = False
        else:
            words.append(word)
    return words


def kind_of(path: Path) -> tuple[str, str]:
    """What a file is, in words, and the command that it is for; empty where nobody can say."""
    from mmcli.artifacts.formats import inspect, manifest_foreign

    try:
        if manifest_foreign.takes(path):
            return "", ""  # a data set of another program, read as a manifest: whoever read it says what is wrong
    except MmcliError:
        return "", ""
    if path.is_dir() and any(path.glob("shard-*.npz")) and not (path / "index.json").is_file():
        return "", ""  # a data set that was not finished: whoever read it says so
    if path.is_dir() and not (path / "index.json").is_file():
        inside = path / "manifest.jsonl"
        following = f"mmcli fuse {inside} -o data.npz" if inside.is_file() else f"mmcli extract {path} -o features/"
        return "a folder", following
    try:
        schema = inspect.recognise(path).partition("@")[0].removeprefix("mmcli/")
    except MmcliError:
        return _medium(path)
    if schema == "manifest":
        if _lists_features(path):
            return MANIFEST, f"mmcli fuse {path} -o data.npz"
        return _MEDIA, f"mmcli extract {path} -o features/"
    return {
        "features": ("features", f"mmcli fuse MANIFEST -o data.npz, with a row for {path.name}"),
        "dataset": (DATASET, f"mmcli train {path} -o model.pt"),
        "shards": (DATASET, f"mmcli train {path} -o model.pt"),
        "checkpoint": (MODEL, f"mmcli predict {path} data.npz"),
        "alignment": ("a map of times", f"mmcli warp FILE --map {path} -o OUT"),
        "report": ("a report", f"mmcli info {path}"),
        "fitted": ("what an extractor learned", f"mmcli extract FILES -o features/ --fitted {path}"),
        "events": ("a list of events", f"mmcli train items.npz --task rank --events {path} -o rec.pt"),
    }.get(schema, ("", ""))


def _medium(path: Path) -> tuple[str, str]:
    from mmcli.media import door

    if path.suffix.lower() in (".csv", ".tsv"):  # hardly a signal
        return _TABLE, "mmcli help fusing"
    if path.suffix.lower() == ".npz":  # ours, and damaged
        return "", ""
    try:
        modality = door.modality_of(path)
    except MmcliError:
        return "", ""
    what = {"audio": "a sound", "image": "a picture", "video": "a film", "text": "a text"}.get(modality, "a series")
    return what, f"mmcli extract {path} -o features/"


def _lists_features(path: Path) -> bool:
    """Whether one of the first rows names a feature file, or a row of an array."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return any(_FEATURES.search(line) for line in itertools.islice(file, 10))
