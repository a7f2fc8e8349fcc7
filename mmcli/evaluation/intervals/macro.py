"""How sure the mean of a figure over classes is, where some classes have few items.

A class of three items that are all right shows no spread, and no resample of it will; neither does one that is never
predicted, whose precision is 0 because nothing can be divided. Each class's figure is drawn towards that of all classes
together, as by some more items of theirs (A. Agresti and B. A. Coull, The American Statistician 52, 1998, add four to a
single proportion).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def error(hits: Array, counted: Array, pseudo: float) -> float:
    """The standard error of the mean of ``hits / counted`` ``(classes,)``, 0 where nothing was counted.

    ``pseudo`` is how many items of the common rate each class is given. What nothing was counted of is off by the
    whole common rate.

    >>> round(error(np.array([45.0, 2.0]), np.array([50.0, 2.0]), 4.0), 2), round(error(np.ones(2), np.ones(2), 4.0), 2)
    (0.1, 0.28)
    """
    common = (hits.sum() + 1) / (counted.sum() + 2)
    likely = (hits + pseudo * common) / (counted + pseudo)
    square = np.where(counted > 0, likely * (1 - likely) / np.maximum(counted, 1.0), likely**2)
    return float(np.sqrt(square.sum()) / len(square))
