"""Laws of the selective scan: its values, and what must not matter.

s_t = exp(delta_t A) s_{t-1} + delta_t u_t B_t        y_t = C_t . s_t + D u_t, gated by silu(z_t)
"""

from __future__ import annotations

import numpy as np

from caduceus import reference
from caduceus.conformance.inputs import masked_content, one_step
from caduceus.conformance.properties.bounds import EXACT, GRADIENTS, MASKS, VALUES, distance, law
from caduceus.conformance.properties.calculus import gradient_error, kernel_gradients
from caduceus.conformance.properties.walks import reverse_error, rows_error, sliced, split_error
from caduceus.conformance.subjects import Arguments, Array, Subject

SCAN = "selective_scan"


@law("scan: values of the reference", VALUES)
def check_scan_values(subject: Subject, arguments: Arguments) -> float:
    """y at valid positions and the last state, against the reference."""
    seen = subject.rounded(arguments)
    return distance(subject.kernel(SCAN, seen), reference.selective_scan(**seen), seen.get("mask"))


@law("scan: gradients of the reference", GRADIENTS)
def check_scan_gradients(subject: Subject, arguments: Arguments, seed: int) -> float:
    """Derivatives by every argument along random directions, against the reference's complex step."""
    return gradient_error(subject, SCAN, arguments, seed)


@law("scan: the softplus is the identity above 20", EXACT)
def check_softplus_above(subject: Subject) -> float:
    """No overflow, and to the last bit what torch and the authors' kernels have."""
    dt = np.array([20.25, 25.0, 100.0, 800.0])
    return distance(subject.kernel(SCAN, one_step(dt))[0], dt[None, None])


@law("scan: the softplus below 20", VALUES)
def check_softplus_below(subject: Subject) -> float:
    """log(1 + e^x) up to the switch; one value at a time, so that the large do not excuse the small."""
    found = [subject.kernel(SCAN, one_step(np.array([x])))[0].item() for x in (-30.0, -1.0, 0.0, 5.0, 10.0, 19.0)]
    expected = [np.log1p(np.exp(x)) for x in (-30.0, -1.0, 0.0, 5.0, 10.0, 19.0)]
    return max(distance(a, b) for a, b in zip(found, expected, strict=True))


@law("scan: a split with carried state changes nothing", VALUES)
def check_scan_split(subject: Subject, arguments: Arguments, cut: int) -> float:
    """The sequence in two pieces, the second from the state that the first left."""
    return split_error(subject, SCAN, arguments, cut)


@law("scan: reverse is flip, scan, flip", VALUES)
def check_scan_reverse(subject: Subject, arguments: Arguments) -> float:
    """Walking backwards is walking forwards along the flipped sequence."""
    return reverse_error(subject, SCAN, arguments)


@law("scan: linear in u and the first state", VALUES)
def check_scan_linear(subject: Subject, first: Arguments, second: Arguments) -> float:
    """The scan of 2 u - 3 v, all but u and the state alike, is 2 scans of u minus 3 of v."""
    other = first | {"u": second["u"]} | ({"state": second["state"]} if "state" in first else {})
    mixed = first | {n: 2 * first[n] - 3 * other[n] for n in ("u", "state") if n in first}
    a, b = subject.kernel(SCAN, first), subject.kernel(SCAN, other)
    return distance(subject.kernel(SCAN, mixed), tuple(2 * x - 3 * y for x, y in zip(a, b, strict=True)))


@law("scan: a zero step holds the state", EXACT)
def check_scan_zero_step(subject: Subject, arguments: Arguments) -> float:
    """With dt = 0 everywhere the state that was given comes back to the last bit."""
    still = {n: x for n, x in arguments.items() if n != "dt_bias"}
    still |= {"dt": np.zeros_like(arguments["dt"]), "dt_softplus": False}
    _, state = subject.kernel(SCAN, subject.rounded(still))
    return distance(state, subject.rounded(still)["state"])


@law("scan: a masked step holds the state, whatever is there", EXACT)
def check_scan_masked_state(subject: Subject, arguments: Arguments) -> float:
    """With every position masked and holding NaN the state that was given comes back to the last bit."""
    nothing = np.zeros(arguments["u"].shape[:2], dtype=bool)
    dirty = {n: masked_content(arguments[n], nothing, np.nan) for n in ("u", "dt", "B", "C")}
    seen = subject.rounded(arguments)
    _, state = subject.kernel(SCAN, seen | dirty | {"mask": nothing})
    return distance(state, seen["state"])


@law("scan: masked steps are as if they were not there", MASKS)
def check_scan_masked_steps(subject: Subject, arguments: Arguments, valid: Array) -> float:
    """Positions ``valid`` (L,) of a scan that masks the others and holds NaN there, against a scan of those alone."""
    mask = np.broadcast_to(valid, arguments["u"].shape[:2]).copy()
    dirty = {n: masked_content(arguments[n], mask, np.nan) for n in ("u", "dt", "B", "C", "z") if n in arguments}
    y, state = subject.kernel(SCAN, arguments | dirty | {"mask": mask})
    without = {n: x for n, x in sliced(arguments, valid).items() if n != "mask"}
    return distance((y[:, valid], state), subject.kernel(SCAN, without))


@law("scan: gradients at masked positions", EXACT)
def check_scan_masked_gradients(subject: Subject, arguments: Arguments, seed: int) -> float:
    """What stands at a masked position has no influence on the rest, so the gradient there is exactly 0."""
    mask = arguments["mask"]
    found = kernel_gradients(subject, SCAN, arguments, seed, y_where=mask)
    return max(distance(found[n][~mask], np.zeros_like(found[n][~mask])) for n in ("u", "dt", "B"))


@law("scan: a row alone is the row in its batch", MASKS)
def check_scan_rows(subject: Subject, arguments: Arguments) -> float:
    """Every row of a batch against a batch of that row only."""
    return rows_error(subject, SCAN, arguments)
