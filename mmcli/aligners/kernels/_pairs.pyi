from typing import Any

def matrix(
    x: Any,
    x_offsets: Any,
    y: Any,
    y_offsets: Any,
    d: int,
    metric: int,
    pattern: int,
    rows: Any,
    columns: Any,
    ranges: Any,
    upper: Any,
    distances: Any,
    kernel: str | None = None,
) -> int: ...
def nearest(
    x: Any,
    x_offsets: Any,
    y: Any,
    y_offsets: Any,
    d: int,
    metric: int,
    pattern: int,
    rows: Any,
    order: Any,
    ranges: Any,
    bounds: Any,
    distances: Any,
    indices: Any,
    kernel: str | None = None,
) -> int: ...
def kernel_name() -> str: ...
