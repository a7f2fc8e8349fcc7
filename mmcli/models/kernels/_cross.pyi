from typing import Any

def room(shape: tuple[int, int, int, int, int, int], kernel: str | None = None) -> tuple[int, int, int]: ...
def forward(
    shape: tuple[int, int, int, int, int, int],
    maps: Any,
    x: Any,
    source: Any,
    seen: Any,
    noise: Any,
    noise_path: int,
    noise_item: int,
    kept: Any,
    work: Any,
    end: Any,
    kernel: str | None = None,
) -> None: ...
def backward(
    shape: tuple[int, int, int, int, int, int],
    maps: Any,
    x: Any,
    source: Any,
    seen: Any,
    noise: Any,
    noise_path: int,
    noise_item: int,
    kept: Any,
    work: Any,
    d_end: Any,
    d_x: Any,
    d_source: Any,
    d_maps: Any,
    kernel: str | None = None,
) -> None: ...
def kernel_name() -> str: ...
