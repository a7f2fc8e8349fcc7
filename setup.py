"""The one piece of native code: the alignment kernels. Everything else about the package stands in pyproject.toml."""

from pathlib import Path

from setuptools import Extension, setup

CSRC = "mmcli/aligners/kernels/csrc"


def kernel(name: str) -> Extension:
    """The extension ``mmcli.aligners.kernels._NAME``, from all of ``csrc/NAME_*.c``."""
    return Extension(
        f"mmcli.aligners.kernels._{name}",
        sorted(str(p) for p in Path(CSRC).glob(f"{name}_*.c")),
        depends=sorted(str(p) for p in Path(CSRC).glob("*.h")),
        # No -march: each kernel file sets its own target, chosen at run time. No -ffast-math: it would flush denormals
        # in the whole process.
        extra_compile_args=["-O3", "-fno-math-errno", "-Wno-psabi", "-pthread"],
        extra_link_args=["-pthread"],
        define_macros=[("Py_LIMITED_API", "0x030B0000")],
        py_limited_api=True,
        optional=True,  # without a compiler the package installs and the numpy/numba twin serves
    )


names = sorted(p.name.removesuffix("_module.c") for p in Path(CSRC).glob("*_module.c"))
setup(ext_modules=[kernel(name) for name in names], options={"bdist_wheel": {"py_limited_api": "cp311"}})
