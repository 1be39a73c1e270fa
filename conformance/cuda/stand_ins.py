"""What stands in for the compiled kernels: their signatures, their checks, and values by the portable backend.

The checks are those of the C++ sources of mamba-ssm 2.3.2.post1 and causal-conv1d 1.7.0, in their order, plus what the
sources take for granted and a GPU answers with a fault: addresses that vector loads can read. As there, results carry
no graph: the packages of `site` attach them to autograd as the real ones do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caduceus.backends.torch import TorchBackend

DEVICE = "cuda"
"""The device type that counts as a GPU."""
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
Maybe = Tensor | None
Calls = dict[str, list[tuple[Tensor, ...]]]
"""The tensors that each function here was called with, by its name."""


def check(condition: bool, text: str) -> None:
    if not condition:
        raise RuntimeError(f"Expected {text} to be true, but got false.")


def check_tensor(name: str, x: Tensor, dtype: torch.dtype, shape: tuple[int, ...], last_stride: bool = True) -> None:
    check(x.dtype == dtype, f"{name}.scalar_type() == {dtype}")
    check(x.device.type == DEVICE, f"{name}.is_cuda()")
    check(not last_stride or x.stride(-1) == 1 or x.shape[-1] == 1, f"{name}.stride(-1) == 1 || {name}.size(-1) == 1")
    if tuple(x.shape) != shape:
        raise RuntimeError(f"{name} must have shape {shape}")


def check_address(x: Tensor, vectors: bool) -> None:
    """A vector load of 16 bytes from an address that is no multiple of 16."""
    strides = [stride for stride, size in zip(x.stride(), x.shape, strict=True) if size > 1 and stride > 1]
    if vectors and any(n * x.element_size() % 16 for n in (x.storage_offset(), *strides)):
        raise RuntimeError("CUDA error: misaligned address")


def whole_loads(length: int) -> bool:
    """Whether the scan reads vectors: the length is a multiple of what a block of threads takes."""
    for longest, chunk in ((128, 128), (256, 256), (512, 512), (1024, 1024)):
        if length <= longest:
            return length % chunk == 0
    return length % 2048 == 0


def check_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Maybe, z: Maybe, bias: Maybe) -> None:
    batch, dim, length = u.shape
    states = A.shape[1]
    check(u.dtype in DTYPES, "input_type is Float, Half or BFloat16")
    check(A.dtype == torch.float32, "weight_type is Float")
    if B.ndim != 4 or C.ndim != 4:
        raise RuntimeError("B and C must have shape (batch_size, n_groups, dstate, seqlen)")
    check_tensor("u", u, u.dtype, (batch, dim, length))
    check_tensor("delta", delta, u.dtype, (batch, dim, length))
    check_tensor("A", A, A.dtype, (dim, states), last_stride=False)
    check(states <= 256, "selective_scan only supports state dimension <= 256")
    for name, x in (("B", B), ("C", C)):
        check_tensor(name, x, u.dtype, (batch, B.shape[1], states, length))
    for name, x in (("D", D), ("delta_bias", bias)):
        if x is not None:
            check_tensor(name, x, torch.float32, (dim,))
    if z is not None:
        check_tensor("z", z, u.dtype, (batch, dim, length))
    for x in (u, delta, B, C, z):
        if x is not None:
            check_address(x, whole_loads(length))


def _portable(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Maybe, z: Maybe, bias: Maybe, softplus: bool
) -> tuple[Tensor, Tensor]:
    rows = [x.transpose(1, 2) for x in (u, delta)]
    few = [x[:, 0].transpose(1, 2) for x in (B, C)]
    gate = None if z is None else z.transpose(1, 2)
    y, last = TorchBackend.selective_scan(*rows, A, *few, D, gate, bias, softplus)
    return y.transpose(1, 2), last


def scan_fwd(
    u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Maybe, z: Maybe, delta_bias: Maybe, softplus: bool
) -> list[Tensor]:
    """`selective_scan_cuda.fwd`: [out, x] and, with z, the gated out; x holds the states at the end of each chunk."""
    check_scan(u, delta, A, B, C, D, z, delta_bias)
    with torch.no_grad():
        y, last = _portable(u, delta, A, B, C, D, None, delta_bias, softplus)
        chunks = -(-u.shape[2] // 2048)
        x = A.new_full((u.shape[0], u.shape[1], chunks, 2 * A.shape[1]), float("nan"))
        x[:, :, -1, 1::2] = last
        found = [torch.empty_like(delta).copy_(y), x]
        if z is not None:
            found.append(torch.empty_like(z).copy_(y.float() * torch.nn.functional.silu(z.float())))
    return found


def scan_bwd(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Maybe,
    z: Maybe,
    delta_bias: Maybe,
    dout: Tensor,
    x: Tensor,
    out: Maybe,
    dz: Maybe,
    softplus: bool,
    recompute_out_z: bool,
) -> list[Maybe]:
    """`selective_scan_cuda.bwd`: gradients of u, delta, A, B, C, D, delta_bias and, with z, z."""
    check_scan(u, delta, A, B, C, D, z, delta_bias)
    check_tensor("dout", dout, u.dtype, tuple(u.shape))
    check_address(dout, whole_loads(u.shape[2]))
    given = [u, delta, A, B, C, D, delta_bias, z]
    with torch.enable_grad():
        leaves = [None if v is None else v.detach().requires_grad_() for v in given]
        y, _ = _portable(*leaves[:6], leaves[7], leaves[6], softplus)  # type: ignore[misc]
        found = iter(torch.autograd.grad(y, [v for v in leaves if v is not None], dout))
    gradients = [None if v is None else next(found) for v in leaves]
    return gradients if z is not None else gradients[:7]


def check_conv(x: Tensor, weight: Tensor, bias: Maybe) -> bool:
    """Whether the channels lie side by side."""
    _, dim, length = x.shape
    width = weight.shape[-1]
    check(x.dtype in DTYPES and weight.dtype in DTYPES, "input_type and weight_type are Float, Half or BFloat16")
    check(x.device.type == DEVICE, "x.is_cuda()")
    check(weight.device.type == DEVICE, "weight.is_cuda()")
    check(tuple(weight.shape) == (dim, width), "weight must have shape (dim, width)")
    check(x.stride(2) == 1 or x.stride(1) == 1, "x.stride(2) == 1 || x.stride(1) == 1")
    channels_last = x.stride(1) == 1 and x.stride(2) > 1
    if channels_last:
        check(dim % 8 == 0, "causal_conv1d only supports channel dimension divisible by 8 for now")
        check(x.stride(2) % 8 == 0 and x.stride(0) % 8 == 0, "strides multiples of 8 with channel last layout")
        check(-(-length // 64) <= 65535, "CUDA error: invalid configuration argument")
    check(2 <= width <= 4, "causal_conv1d only supports width between 2 and 4")
    if bias is not None:
        check_tensor("bias", bias, weight.dtype, (dim,))
    check_address(x, channels_last or length % (16 // x.element_size()) == 0)
    return channels_last


def conv_fwd(x: Tensor, weight: Tensor, bias: Maybe, silu: bool) -> Tensor:
    """`causal_conv1d_cuda.causal_conv1d_fwd` without what only some versions have."""
    check_conv(x, weight, bias)
    with torch.no_grad():
        return torch.empty_like(x).copy_(_convolution(x, weight, bias, silu))


def conv_bwd(x: Tensor, weight: Tensor, bias: Maybe, dout: Tensor, silu: bool) -> tuple[Tensor, Tensor, Maybe]:
    """`causal_conv1d_cuda.causal_conv1d_bwd`: gradients of x, weight and bias."""
    channels_last = check_conv(x, weight, bias)
    if channels_last and dout.stride(1) != 1:
        dout = dout.transpose(1, 2).contiguous().transpose(1, 2)
    elif not channels_last and dout.stride(2) != 1:
        dout = dout.contiguous()
    check_address(dout, channels_last or x.shape[2] % (16 // x.element_size()) == 0)
    with torch.enable_grad():
        leaves = [None if v is None else v.detach().requires_grad_() for v in (x, weight, bias)]
        y = _convolution(*leaves, silu)  # type: ignore[arg-type]
        found = iter(torch.autograd.grad(y, [v for v in leaves if v is not None], dout))
    return tuple(None if v is None else next(found) for v in leaves)  # type: ignore[return-value]


def _convolution(x: Tensor, weight: Tensor, bias: Maybe, silu: bool) -> Tensor:
    y, _ = TorchBackend.causal_conv(x.transpose(1, 2), weight, bias, "silu" if silu else None)
    return y.transpose(1, 2)


def norm(x: Tensor, weight: Tensor, bias: Maybe, residual: Maybe, eps: float, rms: bool) -> tuple[Tensor, Tensor]:
    """The Triton kernel on rows (M, N): the norm in the dtype of x, and the sum in the residual's."""
    rows, channels = x.shape
    for name, v, shape in (
        ("x", x, (rows, channels)),
        ("residual", residual, (rows, channels)),
        ("weight", weight, (channels,)),
        ("bias", bias, (channels,)),
    ):
        if v is None:
            continue
        if v.device.type != DEVICE:
            raise ValueError(f"Pointer argument ({name}) cannot be accessed from Triton (cpu tensor?)")
        assert tuple(v.shape) == shape
        assert v.stride(-1) == 1
    if channels * x.element_size() > 65536:
        raise RuntimeError("This layer norm doesn't support feature dim >= 64KB.")
    total = x if residual is None else (x.float() + residual.float()).to(residual.dtype)
    wide = x.float() if residual is None else x.float() + residual.float()
    normed, _ = TorchBackend.add_norm(wide, weight, bias, None, eps, "rms" if rms else "layer")
    return normed.to(x.dtype), total
