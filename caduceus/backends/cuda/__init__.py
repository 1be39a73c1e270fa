"""The backend for NVIDIA GPUs, on the kernels of mamba-ssm and causal-conv1d; importing it imports neither."""

from caduceus.backends.cuda.kernels import CudaBackend

__all__ = ["CudaBackend"]
