"""The interfaces between specs, modules and backends: protocols only.

Shapes: B batch, L length, C = d_model channels of one strand, E = d_inner channels inside a Mamba, N = d_state,
K = d_conv. Arrays are tensors for every backend but `reference`, where they are NumPy arrays. `mask` is (B, L) bool,
True at valid positions, None if all are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from caduceus.symmetry import Space

Array = Any


class Scan(Protocol):
    """Inside a Mamba: the selective state space, forward or reverse."""

    def __call__(
        self,
        u: Array,
        dt: Array,
        A: Array,
        B: Array,
        C: Array,
        D: Array | None = None,
        z: Array | None = None,
        dt_bias: Array | None = None,
        dt_softplus: bool = False,
        reverse: bool = False,
        state: Array | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, Array]:
        """y (B, L, E) and the state (B, E, N) after the last step.

            delta_t = softplus(dt_t + dt_bias)          (softplus if asked; x itself above 20)
            delta_t = 0 where masked
            s_t = exp(delta_t A) s_{t-1} + delta_t u_t B_t
            y_t = (C_t . s_t + D u_t) silu(z_t)

        Args:
            u, dt, z: (B, L, E). A: (E, N), negative real. B, C: (B, L, N). D, dt_bias: (E,).
            reverse: walk from the last position to the first.
            state: (B, E, N) before the first step in walking direction; zero if not given.
        """
        ...


@runtime_checkable
class Backend(Protocol):
    """A supplier of kernels. `name` is what `build(backend=...)` takes; `dtypes` are those it computes in, by name.

    A kernel refuses shapes that do not fit, those that would broadcast too, by the checks of `caduceus.shapes`: a
    ValueError such as ``dt_bias has shape (1,), expected (8,)``. What its arguments hold where masked, NaN too, changes
    no output at valid positions.

    A backend whose kernels have second derivatives says so with an attribute ``twice_differentiable = True``, one whose
    kernels torch.compile takes whole with ``compiles = True``.
    """

    name: str
    dtypes: tuple[str, ...]

    @property
    def selective_scan(self) -> Scan: ...

    def causal_conv(
        self,
        x: Array,
        weight: Array,
        bias: Array | None = None,
        activation: Literal["silu"] | None = None,
        reverse: bool = False,
        state: Array | None = None,
        mask: Array | None = None,
    ) -> tuple[Array, Array]:
        """Depthwise convolution in walking direction: y (B, L, E) and the last K-1 inputs (B, E, K-1), oldest first.

            y_t = activation(sum_k weight[:, k] x_{t-K+1+k} + bias)      reverse: x_{t+K-1-k}

        Args:
            x: (B, L, E); replaced by 0 where masked. weight: (E, K). bias: (E,).
            state: (B, E, K-1) the inputs before the first step in walking direction, oldest first; zero if not given.
        """
        ...

    def add_norm(
        self,
        x: Array,
        weight: Array,
        bias: Array | None = None,
        residual: Array | None = None,
        eps: float = 1e-5,
        kind: Literal["rms", "layer"] = "rms",
    ) -> tuple[Array, Array]:
        """(norm(x + residual), x + residual), each (B, L, C); the norm is over the channels."""
        ...


class MambaDirection(NamedTuple):
    """What lies between in_proj and the gate of a Mamba, one way; R = dt_rank.

    ``conv_weight`` (E, K), ``conv_bias`` (E,) or None, ``x_proj`` (R + 2N, E), ``dt_proj`` (E, R), ``dt_bias`` (E,),
    ``A`` (E, N), ``D`` (E,).
    """

    conv_weight: Array
    conv_bias: Array | None
    x_proj: Array
    dt_proj: Array
    dt_bias: Array
    A: Array
    D: Array
    reverse: bool


class FusedMamba(Protocol):
    """A whole Mamba as one kernel, or two that share in_proj and out_proj."""

    def __call__(
        self,
        h: Array,
        in_proj: Array,
        in_bias: Array | None,
        out_proj: Array,
        out_bias: Array | None,
        directions: Sequence[MambaDirection],
        mask: Array | None = None,
    ) -> Array:
        """(B, L, C) to (B, L, C); exactly 0 where masked, whatever ``h`` holds there.

            x, z = in_proj(h) + in_bias
            out  = out_proj(silu(z) * sum over the directions of scan(silu(conv(x)))) + out_bias for each direction

        Args:
            in_proj: (2E, C), x first. in_bias: (2E,). out_proj: (C, E). out_bias: (C,).
        """
        ...


class Fuses(Protocol):
    """A backend may have coarser kernels; modules ask for them when they are built."""

    def fused_mamba(self, *, d_state: int, d_conv: int) -> FusedMamba | None:
        """The kernel for these sizes, or None: then the mixer is put together from the three kernels of `Backend`."""
        ...


class Mixer(Protocol):
    """Mix: one strand (B, L, C), in its own 5'->3' order, to the same: it commutes with the swap for free."""

    def __call__(self, x: Array, mask: Array | None = None) -> Array: ...


class StrandMixer(Protocol):
    """Mix across: a pair of strands to a pair, each (B, L, C) in its own order. It must itself commute with the swap:
    ``f(b, a) == f(a, b)[::-1]``, exactly. `mask` is that of the first strand; the second strand's is its flip."""

    def __call__(self, first: Array, second: Array, mask: Array | None = None) -> tuple[Array, Array]: ...


class Embedding(Protocol):
    """Lift, for one strand: ids (B, L) to channels (B, L, C). The model lifts to both by embedding x and rc x."""

    def __call__(self, ids: Array) -> Array: ...


class Head(Protocol):
    """Project, for one strand: features (B, L, C) to ``space_out`` of its spec, f in y = f(s0) + act(f(s1))."""

    def __call__(self, features: Array, mask: Array | None = None) -> Array: ...


class Model(Protocol):
    """What `caduceus.build` returns, on every backend."""

    space_in: Space
    space_out: Space

    def __call__(self, input_ids: Array, mask: Array | Literal["pad"] | None = None) -> Array: ...

    def features(self, input_ids: Array, mask: Array | Literal["pad"] | None = None) -> Array:
        """After the final norm: (B, 2, L, C) for ps, each strand in its own order, else (B, L, C)."""
        ...

    def weights(self) -> dict[str, Any]:
        """Every weight the model owns, as float arrays under the spec's names."""
        ...
