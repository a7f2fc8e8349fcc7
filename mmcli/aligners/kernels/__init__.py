"""Alignment kernels: arrays in, arrays out. They import numpy, numba (inside functions) and the compiled extension."""
