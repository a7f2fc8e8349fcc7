"""A free warp as the alignment artifact."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmcli.aligners.core import inputs
from mmcli.aligners.core.result import method
from mmcli.aligners.warp.views import View, Warp
from mmcli.artifacts.formats import timemap
from mmcli.artifacts.formats.alignment import Alignment


def freely(x: Any, y: Any, view: View, found: Warp, quality: dict[str, Any], name: str, config: Any) -> Alignment:
    """The alignment of a warp: knots from the posterior mean with its interval, else from the path."""
    confidence = None
    if found.posterior is None:
        knots = timemap.from_path(found.path, view.x_times, view.y_times)
    else:
        p = found.posterior
        knots = timemap.from_curve(p.t, p.mean)
        confidence = [round(float(v), 6) for v in np.interp(knots[:, 0], p.t, p.half)]
    return Alignment(
        model="warp",
        knots=knots,
        confidence_s=confidence,
        quality=quality,
        method=method(name, config),
        cost=float(found.cost),
        reference=inputs.about(x),
        query=inputs.about(y),
        path=np.ascontiguousarray(found.path, dtype=np.int64),
    )
