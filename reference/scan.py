"""Inside a Mamba: the selective scan and the causal convolution, one position after the other.

Both walk from the first position to the last, or with ``reverse`` from the last to the first; "before" and "after" are
in walking direction. Sources: Gu and Dao 2023, section 3; order of operations as in the authors' `selective_scan_ref`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from caduceus.reference.arrays import Array, expect, expect_mask, keep, number, silu, softplus


def walk(length: int, reverse: bool) -> range:
    """Positions in walking order."""
    return range(length - 1, -1, -1) if reverse else range(length)


def selective_scan(
    u: Any,
    dt: Any,
    A: Any,
    B: Any,
    C: Any,
    D: Any = None,
    z: Any = None,
    dt_bias: Any = None,
    dt_softplus: bool = False,
    reverse: bool = False,
    state: Any = None,
    mask: Any = None,
) -> tuple[Array, Array]:
    """y (B, L, E) and the state (B, E, N) after the last step.

        delta_t = softplus(dt_t + dt_bias)                    0 where masked
        s_t     = exp(delta_t A) s_{t-1} + (delta_t u_t) B_t
        y_t     = (C_t . s_t + D u_t) silu(z_t)

    A masked step adds nothing to the state, even if u, dt or B are NaN there; y follows the formula at every position.

    Args:
        u, dt, z: (B, L, E). A: (E, N). B, C: (B, L, N). D, dt_bias: (E,).
        state: (B, E, N) before the first step, zero if not given. mask: (B, L) bool, True where valid.

    Raises:
        ValueError: an argument has another shape, or the mask is not bool.
    """
    u, dt, A, B, C = number(u), number(dt), number(A), number(B), number(C)
    D, z, dt_bias, state = (None if x is None else number(x) for x in (D, z, dt_bias, state))
    batch, length, channels = u.shape
    states = A.shape[-1]
    shapes = {"dt": u.shape, "z": u.shape, "A": (channels, states), "D": (channels,), "dt_bias": (channels,)}
    shapes |= {"B": (batch, length, states), "C": (batch, length, states), "state": (batch, channels, states)}
    given = {"dt": dt, "A": A, "B": B, "C": C, "D": D, "z": z, "dt_bias": dt_bias, "state": state}
    for name, array in given.items():
        if array is not None:
            expect(name, array, shapes[name])
    mask = expect_mask(mask, (batch, length))

    delta = dt if dt_bias is None else dt + dt_bias
    delta = keep(softplus(delta) if dt_softplus else delta, mask)
    drive, entry = delta * keep(u, mask), keep(B, mask)
    dtype = np.result_type(u, *(x for x in given.values() if x is not None))
    s = np.zeros((batch, channels, states), dtype) if state is None else state.astype(dtype)
    y = np.empty(u.shape, dtype)
    for t in walk(length, reverse):
        s = np.exp(delta[:, t, :, None] * A) * s + drive[:, t, :, None] * entry[:, t, None, :]
        y[:, t] = (s * C[:, t, None, :]).sum(-1)
    if D is not None:
        y = y + D * u
    return (y if z is None else y * silu(z)), s


def causal_conv(
    x: Any,
    weight: Any,
    bias: Any = None,
    activation: str | None = None,
    reverse: bool = False,
    state: Any = None,
    mask: Any = None,
) -> tuple[Array, Array]:
    """Depthwise convolution over the last K inputs: y (B, L, E) and the last K-1 inputs (B, E, K-1), oldest first.

        y_t = activation(sum_k weight[:, k] x_{t-K+1+k} + bias)      reverse: x_{t+K-1-k}

    Args:
        x: (B, L, E), replaced by 0 where masked. weight: (E, K). bias: (E,). activation: None or "silu".
        state: (B, E, K-1) the inputs before the first step, oldest first, zero if not given. mask: (B, L) bool.

    Raises:
        ValueError: an argument has another shape, the mask is not bool, or the activation is unknown.
    """
    x, weight = number(x), number(weight)
    batch, length, channels = x.shape
    taps = weight.shape[-1]
    before = np.zeros((batch, channels, taps - 1)) if state is None else number(state)
    bias = np.zeros(channels) if bias is None else number(bias)
    expect("weight", weight, (channels, taps))
    expect("bias", bias, (channels,))
    expect("state", before, (batch, channels, taps - 1))
    if activation not in (None, "silu"):
        raise ValueError(f'activation is {activation!r}, expected None or "silu"')

    x = keep(x, expect_mask(mask, (batch, length)))
    dtype = np.result_type(x, weight, bias, before)
    window = [before[..., k] for k in range(taps - 1)]
    y = np.empty(x.shape, dtype)
    for t in walk(length, reverse):
        window.append(x[:, t])
        y[:, t] = bias
        for k in range(taps):
            y[:, t] += weight[:, k] * window[k]
        window.pop(0)
    after = np.stack(window, axis=-1) if taps > 1 else before
    return (y if activation is None else silu(y)), after
