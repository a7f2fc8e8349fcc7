"""``mmcli.align``: two recordings in, one map out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmcli.api import given
from mmcli.errors import UsageError

if TYPE_CHECKING:
    from mmcli.artifacts.formats.alignment import Alignment


def align(
    reference: Any,
    query: Any,
    *,
    method: str = "auto",
    rate: float | None = None,
    feature: str | None = None,
    page: str | Path | None = None,
    plot: str | Path | None = None,
    **fields: Any,
) -> Alignment:
    """The map between two recordings, as ``mmcli align`` makes it.

    Each side is a path, Features, a clip, a data frame with a column of times (seconds), or an array: ``(samples,
    rate_hz)`` is sound where the samples are one-dimensional, else frames ``(frames, dims)``; ``rate`` is that of
    arrays, data frames and series without a clock. ``feature``, ``page`` and ``plot`` are for two files; further
    fields are those of the method's Config (``force=True``).

    Raises MismatchError, with its evidence, where the two do not belong together or that cannot be told; UsageError for
    an unknown method or field.

    >>> import numpy as np
    >>> walk = np.random.default_rng(0).standard_normal((300, 4)).cumsum(axis=0)
    >>> round(align((walk, 50), (walk[25:], 50)).offset_s, 2)
    0.5
    """
    from mmcli.aligners import registry

    module = registry.load(method)
    config = given.configured(module.Config, fields, method)
    if given.is_path(reference) and given.is_path(query):
        from mmcli.aligners.pair import align_files

        return align_files(
            reference,
            query,
            method=method,
            feature=feature,
            config=config,
            rate=rate,
            page=None if page is None else Path(page),
            plot=None if plot is None else Path(plot),
        )
    for name, value in (("feature", feature), ("page", page), ("plot", plot)):
        if value is not None:
            raise UsageError(f"{name}= is for two files, and one side is none")
    alignment: Alignment = module.align(
        given.side(reference, "reference", rate), given.side(query, "query", rate), config
    )
    return alignment
