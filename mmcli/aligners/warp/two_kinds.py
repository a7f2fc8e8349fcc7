"""Features of two kinds: whether they are, and whether what they share has an order in common.

The statistic is that of :mod:`.shuffle_test` for canonical time warping: its cost over that against a query
whose blocks stand in another order. The directions are found anew for every order, so a null is low where a few slow
movements can be turned onto anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.aligners.core import inputs, shuffle_test
from mmcli.aligners.warp import canonical
from mmcli.artifacts.formats.features import Features

LIMIT = 0.18  # 300 made pairs of strangers, 3 to 13 swings long, lay at 0.19 and above; nothing else was measured
BLOCKS = 40  # into which the query is cut
SHUFFLES = 4


def differ(x: Any, y: Any) -> bool:
    """Whether two inputs that are no sound have different widths or came from different extractors."""
    if "audio" in (inputs.kind_of(x), inputs.kind_of(y)):
        return False
    names = [v.meta.get("extractor") if isinstance(v, Features) else None for v in (x, y)]
    if None not in names and names[0] != names[1]:
        return True
    (a, _), (b, _) = inputs.checked(x, y, same_width=False)
    return bool(a.shape[1] != b.shape[1])


def measure(x: Any, y: Any) -> tuple[canonical.Shared, float]:
    """The shared space with its path, and the statistic: near 0 for a pair, near 1 for strangers."""
    (a, _), (b, _) = inputs.checked(x, y, same_width=False)
    canonical.changing(a, b, x, y)
    found = canonical.find(a, b)
    block = max(2, len(b) // BLOCKS)
    nulls = [canonical.find(a, shuffle_test.shuffled(b, block, seed)).cost for seed in range(SHUFFLES)]
    null = float(np.mean(nulls))
    return found, found.cost / null if null > 0 else 1.0
