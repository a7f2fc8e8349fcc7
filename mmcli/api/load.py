"""``mmcli.load``: any file that mmcli writes, as what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmcli.errors import UsageError


def load(path: str | Path) -> Any:
    """What is in a file of mmcli: Features, Alignment, Dataset, :class:`.model.Model` or :class:`.report.Report`.

    Recognised by its content. Raises InputError where it is none of ours, ArtifactError where it is damaged,
    UsageError for files that are read by other means (manifests, events).

    >>> import tempfile
    >>> import numpy as np
    >>> from mmcli.artifacts.formats import features
    >>> file = Path(tempfile.mkdtemp()) / "a.npz"
    >>> _ = features.save(file, features.Features(np.zeros((3, 2), np.float32), np.arange(3.0), {}))
    >>> load(file).values.shape
    (3, 2)
    """
    from mmcli.api import given, model, report
    from mmcli.artifacts.formats import alignment, features, inspect

    schema = inspect.recognise(path)
    kind = schema.removeprefix("mmcli/").partition("@")[0]
    if kind == "features":
        return features.load(path)
    if kind == "alignment":
        return alignment.load(path)
    if kind in ("dataset", "shards"):
        return given.data_set(path)
    if kind == "checkpoint":
        return model.load(path)
    if kind == "report":
        return report.load(path)
    raise UsageError(f"holds {schema}, which is read line by line", source=path, hint=f"mmcli info {path}")
