"""The portable backend: plain torch operations, any device, differentiable twice."""

from caduceus.backends.torch.kernels import TorchBackend

__all__ = ["TorchBackend"]
