"""The compiled backend: kernels in C++ for processors with AVX-512, AVX2, or neither."""

from caduceus.backends.cpu.kernels import CpuBackend

__all__ = ["CpuBackend"]
