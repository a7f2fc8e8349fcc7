"""Attention weights as the model computed them."""

from __future__ import annotations

import numpy as np
import pytest

from mmcli.evaluation.explain import attention

from ..conftest import made
from ..networks import access_to, net


def test_attention_weights_sum_to_one():
    data = made(20, missing=0.3)
    found = attention.export(access_to(net("attention")), data, np.arange(20))

    for i, entry in enumerate(found):
        assert sum(entry["modalities"].values()) == pytest.approx(1.0, abs=1e-4)
        assert set(entry["modalities"]) == {name for name in ("x", "y") if data.streams[name].present[i]}
