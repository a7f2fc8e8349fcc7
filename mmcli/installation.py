"""What this installation has and lacks: libraries, compiled kernels, decoders, extras, processors and room.

Nothing here is measured: the factors that the twins cost stand beside the benchmarks that found them.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from mmcli._version import __version__

# Where there was no compiler, a twin in Python serves. ``times``: how much longer the twin takes, processor time on one
# thread: 1,000 x 1,000 frames of 12 values (tests/benchmarks/bench_dtw.py); training of cross-attention
# (tests/benchmarks/bench_crossmodal.py). None: not measured.
KERNELS: dict[str, tuple[str, str, float | None]] = {
    "dtw": ("mmcli.aligners.kernels._dtw", "warping paths", 20.0),
    "hmm": ("mmcli.aligners.kernels._hmm", "hidden Markov models, transcripts", None),
    "live": ("mmcli.aligners.kernels._live", "following", None),
    "cross": ("mmcli.models.kernels._cross", "training of crossmodal blocks", None),
}
PROGRAMS = {"espeak-ng": "transcripts that are not English"}
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


def report() -> dict[str, Any]:
    """All of it as plain values; ``problems`` says what keeps a command from running, none in a sound installation."""
    required, extras = libraries()
    kernels = compiled()
    missing = [name for name, version in required.items() if version is None]
    return {
        "mmcli": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": required,
        "kernels": kernels,
        "decoders": _decoders(),
        "extras": extras,
        "programs": {name: shutil.which(name) is not None for name in PROGRAMS},
        "machine": _machine(),
        "problems": [f"{name} is needed and not installed: pip install {name}" for name in missing],
    }


def libraries() -> tuple[dict[str, str | None], dict[str, list[str]]]:
    """The version of every library that mmcli needs (None: absent), and of every extra what of it is missing."""
    required: dict[str, str | None] = {}
    extras: dict[str, list[str]] = {}
    for line in metadata.requires("mmcli") or []:
        match = _NAME.match(line)
        extra = _EXTRA.search(line)
        if match is None:
            continue
        version = _version(match[0])
        if extra is None:
            required[match[0]] = version
        else:
            lacking = extras.setdefault(extra[1], [])
            if version is None:
                lacking.append(match[0])
    return required, extras


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def compiled() -> dict[str, bool]:
    """Of every kernel, whether its compiled form is here and loads."""
    out = {}
    for name, (module, _, _) in KERNELS.items():
        try:
            importlib.import_module(module)
            out[name] = True
        except ImportError:
            out[name] = False
    return out


def _decoders() -> dict[str, Any]:
    from mmcli.media import codecs

    try:
        return {"libraries": codecs.libraries(), "absent": [n for n, there in codecs.decoders().items() if not there]}
    except ImportError as error:
        return {"libraries": {}, "absent": [str(error)]}


def _machine() -> dict[str, Any]:
    from mmcli.batch.workers import run

    threads = {n: os.environ[n] for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS") if n in os.environ}
    places = {"in this folder": Path.cwd(), "for temporary files": Path(tempfile.gettempdir())}
    return {
        "processors": run.default_jobs(),
        "memory_bytes": run.memory(),
        "threads": threads,
        "free_bytes": {name: shutil.disk_usage(place).free for name, place in places.items()},
        "cuda": _cuda(),
    }


def _cuda() -> dict[str, Any] | None:
    """The graphics processors that torch sees; None where torch is absent."""
    try:
        import torch
    except ImportError:
        return None
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {"built_for": torch.version.cuda, "devices": [torch.cuda.get_device_name(k) for k in range(count)]}
