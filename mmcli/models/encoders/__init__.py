"""Encoders: what one modality holds, to a sequence of vectors and from there to one vector. One encoder a file.

An encoder module has ``KINDS`` (the stream kinds it reads, see :mod:`mmcli.models.streams`), ``Config``,
``sized(stream, items)`` (a Config fitted to the data) and ``build(config)``. A new file is a new encoder.
"""

from __future__ import annotations

from mmcli.registry import Registry

registry = Registry("encoder", __name__, __path__, support=["base"])
