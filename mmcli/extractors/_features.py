"""Features with their provenance, made the same way by every extractor."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from mmcli._version import __version__
from mmcli.artifacts.formats.features import Features
from mmcli.artifacts.io import provenance


def features(clip: Any, values: np.ndarray, times: np.ndarray, config: Any, *, kind: str, **meta: Any) -> Features:
    """Values and times of a clip as :class:`Features`, with the configuration, its hash and the clip's source.

    ``config`` is the extractor's Config: modality and extractor are where its class is defined. Entries of ``meta``
    that are None are left out.
    """
    *_, modality, extractor = type(config).__module__.split(".")
    canonical, digest = _canonical(config)
    found = {
        "schema": "mmcli/features@1",
        "mmcli": __version__,
        "modality": modality,
        "extractor": extractor,
        "kind": kind,
        "config": dict(canonical),
        "config_sha256": digest,
        "source": getattr(clip, "source", None),
        **meta,
    }
    return Features(
        values=np.ascontiguousarray(values, dtype=np.float32),
        times=np.ascontiguousarray(times, dtype=np.float64),
        meta={k: v for k, v in found.items() if v is not None},
    )


@functools.lru_cache(maxsize=64)
def _canonical(config: Any) -> tuple[dict[str, Any], str]:
    """The configuration as plain JSON and its hash; a batch asks thousands of times for the same."""
    found = provenance.config_dict(config)
    return found, provenance.config_sha256(found)


def still(clip: Any, values: np.ndarray, config: Any, *, kind: str, **meta: Any) -> Features:
    """Features of something without duration: one frame at 0.0."""
    return features(clip, values[np.newaxis], np.zeros(1), config, kind=kind, **meta)
