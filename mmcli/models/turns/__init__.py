"""How the turns of a group are read in their order, one reader a file.

A reader's module has ``Config`` (with ``width``, ``causal`` and ``dropout``), ``sized(width, items)`` and
``build(config, inputs)``: a module of ``(groups, turns, inputs)`` and a mask ``(groups, turns)``, whose real turns
stand first, to ``(groups, turns, config.width)``. Padding changes nothing; ``causal`` says that no turn sees a later
one. A group may be longer than any of training. A new file is a new reader.
"""

from __future__ import annotations

from mmcli.registry import Registry

registry = Registry("reader of turns", __name__, __path__)
