"""Where to compute."""

from __future__ import annotations

import torch

from mmcli.errors import MissingError, UsageError

NAMES = ("auto", "cpu", "cuda")


def pick(name: str) -> torch.device:
    """``auto`` takes CUDA where it is. Raises :class:`MissingError` where ``cuda`` is asked for and not there.

    Raises :class:`UsageError` for any other name.
    """
    if name not in NAMES:
        raise UsageError(f"no such device: {name!r}", hint="one of: " + ", ".join(NAMES))
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise MissingError("no CUDA device is visible to torch", hint="use --device cpu, or a torch built for CUDA")
    return torch.device("cuda" if there and name != "cpu" else "cpu")
