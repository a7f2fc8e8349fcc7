"""The native code: the alignment kernels and the layers of cross-attention. Everything else about the package stands in
pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

ROOMS = ["mmcli/aligners/kernels", "mmcli/models/kernels"]


def kernel(room: str, name: str) -> Extension:
    """The extension ``_NAME`` of a room, from all of its ``csrc/NAME_*.c``."""
    csrc = Path(room, "csrc")
    return Extension(
        f"{room.replace('/', '.')}._{name}",
        sorted(str(p) for p in csrc.glob(f"{name}_*.c")),
        depends=sorted(str(p) for p in csrc.glob("*.h")),
        # No -march: each kernel file sets its own target, chosen at run time. No -ffast-math: it would flush denormals
        # in the whole process.
        extra_compile_args=["-O3", "-fno-math-errno", "-Wno-psabi", "-pthread"],
        extra_link_args=["-pthread"],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        py_limited_api=True,
        optional=True,  # without a compiler the package installs and the twins in Python serve
    )


kernels = [
    kernel(room, p.name.removesuffix("_module.c"))
    for room in ROOMS
    for p in sorted(Path(room, "csrc").glob("*_module.c"))
]
setup(ext_modules=kernels, options={"bdist_wheel": {"py_limited_api": "cp311"}})
