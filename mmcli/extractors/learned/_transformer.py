"""A model of the transformers library from a folder: never from a network, never with code from the folder."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmcli.errors import ArtifactError, InputError, first_line
from mmcli.extractors.base import Features
from mmcli.extractors.learned import _model
from mmcli.extractors.sound import SoundConfig, prepare

_LONGEST = 512  # tokens, where neither the tokenizer nor the model says


class Model:
    """The network, in evaluation mode on ``device``, and what stands before it."""

    def __init__(self, folder: Path, device: Any) -> None:
        os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
        import torch

        library: Any = importlib.import_module("transformers")
        library.logging.set_verbosity_error()
        library.logging.disable_progress_bar()
        self.folder, self.device, self.library = folder, device, library
        safe = {"use_safetensors": True} if any(folder.glob("*.safetensors")) else {}
        net, loaded = self._load("AutoModel", dtype=torch.float32, output_loading_info=True, **safe)
        missing = sorted(key for key in loaded["missing_keys"] if "pooler" not in key)
        if missing:
            raise ArtifactError(f"lacks {len(missing)} weights of its model, {missing[0]} among them", source=folder)
        self.net = net.to(device).eval()
        self.pool, self.unit = _pooling(folder)

    def _load(self, kind: str, **options: Any) -> Any:
        """``kind.from_pretrained``. Raises :class:`ArtifactError` where the folder does not hold it."""
        try:
            loader = getattr(self.library, kind)
            return loader.from_pretrained(str(self.folder), local_files_only=True, trust_remote_code=False, **options)
        except Exception as error:
            raise ArtifactError(f"{kind} cannot be loaded: {first_line(error, 250)}", source=self.folder) from error

    @functools.cached_property
    def tokenizer(self) -> Any:
        """Of a text model."""
        tokenizer = self._load("AutoTokenizer")
        if len(tokenizer) <= len(tokenizer.all_special_ids):  # the library makes one of nothing where the file is gone
            raise ArtifactError("AutoTokenizer finds no vocabulary", source=self.folder)
        if tokenizer.pad_token is None:  # generators have none; padding is masked anyway
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    @functools.cached_property
    def listener(self) -> Any:
        """Of a sound model: samples to what the network takes."""
        listener = self._load("AutoFeatureExtractor")
        if not getattr(listener, "sampling_rate", None):
            raise ArtifactError("prepares no sound", source=self.folder)
        return listener

    @functools.cached_property
    def looker(self) -> Any:
        """Of a picture model: pixels to what the network takes."""
        return self._load("AutoImageProcessor")

    @functools.cached_property
    def longest(self) -> int:
        """How many tokens the network takes at once."""
        known = [
            self.tokenizer.model_max_length,
            _json(self.folder / "sentence_bert_config.json").get("max_seq_length"),
        ]
        positions = getattr(self.net.config, "max_position_embeddings", None)
        if positions and not hasattr(self.net.config, "relative_attention_num_buckets"):
            known.append(positions - 2 if "roberta" in str(self.net.config.model_type) else positions)
        return min([int(n) for n in known if n and n < 1 << 20] or [_LONGEST])

    def hidden(self, inputs: Any, tower: str, name: str) -> np.ndarray:
        """The answer to prepared inputs, float32: last hidden states, or (n, dims) of a two-tower model's ``tower``.

        Raises :class:`InputError` where the network refuses.
        """
        import torch

        given = {key: value.to(self.device) for key, value in inputs.items()}
        joint = getattr(self.net, f"get_{tower}_features", None)
        net = self.net.get_encoder() if joint is None and self.net.config.is_encoder_decoder else self.net
        try:
            with torch.inference_mode():
                answer = (joint or net)(**given)
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            raise InputError(f"the model cannot take it: {first_line(error, 250)}", source=name) from error
        if joint is not None and not isinstance(answer, torch.Tensor):
            answer = answer.pooler_output
        elif joint is None:
            answer = answer.last_hidden_state
        states: np.ndarray = answer.float().cpu().numpy()
        return states

    def pooling(self, pool: str) -> str:
        """mean, first or none: ``auto`` is what the folder says."""
        return self.pool if pool == "auto" else pool

    def united(self, vectors: np.ndarray, unit: str) -> np.ndarray:
        """The vectors (n, dims), of length one where that is wanted."""
        if unit == "no" or (unit == "auto" and not self.unit):
            return vectors
        lengths = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=-1, keepdims=True))
        return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def _json(path: Path) -> dict[str, Any]:
    """A small JSON object; empty where there is none."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def _pooling(folder: Path) -> tuple[str, bool]:
    """``(mean or first, length one)`` as a sentence encoder's folder declares it."""
    says = _json(folder / "1_Pooling" / "config.json")
    first = says.get("pooling_mode_cls_token") is True or says.get("pooling_mode") == "cls"
    return ("first" if first else "mean"), any("Normalize" in kind for kind in _modules(folder))


def _modules(folder: Path) -> Iterator[str]:
    with contextlib.suppress(OSError, ValueError):
        for module in json.loads((folder / "modules.json").read_text(encoding="utf-8")):
            yield str(module.get("type")) if isinstance(module, dict) else ""


# Sound through a transformer, window by window.


def heard(clip: Any, config: Any, model: Model) -> Features:
    """A vector for the recording, or the steps of all its windows with their times.

    Windows of one length are computed together. A model that fills every input up to a fixed length (Whisper) gives
    steps for the filling too; they are left out.
    """
    rate = int(model.listener.sampling_rate)
    sound = prepare(clip, SoundConfig(sample_rate=rate))
    pool = model.pooling(config.pool)
    total, samples = np.zeros(0), 0
    rows: list[np.ndarray] = []
    times: list[np.ndarray] = []
    windows = _model.whole_windows(_model.lengthened(sound.blocks()), round(config.window_s * rate))
    for together in _model.alike(windows, config.batch):
        length = len(together[0])
        answer = _answer(together, rate, model, clip.name)
        if answer.ndim == 2:
            answer = answer[:, np.newaxis]
        if pool == "none":
            for steps in answer:
                rows.append(steps)
                times.append((samples + (np.arange(len(steps)) + 0.5) * (length / len(steps))) / rate)
                samples += length
            continue
        vectors = answer[:, 0] if pool == "first" else answer.mean(axis=1, dtype=np.float64)
        weighted = vectors.astype(np.float64).sum(axis=0) * length
        total = total + weighted if samples else weighted
        samples += length * len(together)
    if pool == "none":
        return _model.sequence(clip, np.concatenate(rows), np.concatenate(times), config)
    return _model.vector(clip, model.united(np.asarray(total / samples)[np.newaxis], config.unit)[0], config)


def _answer(windows: list[np.ndarray], rate: int, model: Model, name: str) -> np.ndarray:
    """(n, steps, dims) or (n, dims)."""
    inputs = model.listener(windows, sampling_rate=rate, return_tensors="pt")
    wanted = {key: value for key, value in inputs.items() if key in ("input_values", "input_features", "is_longer")}
    answer = model.hidden(wanted, "audio", name)
    filled = getattr(model.listener, "n_samples", None)
    if filled and answer.ndim == 3 and len(windows[0]) < filled:
        answer = answer[:, : max(1, math.ceil(answer.shape[1] * len(windows[0]) / filled))]
    return answer
