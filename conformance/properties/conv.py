"""Laws of the causal convolution: y_t = activation(sum_k w_k x_{t-K+1+k} + b), in walking direction."""

from __future__ import annotations

import numpy as np

from caduceus import reference
from caduceus.conformance.inputs import masked_content
from caduceus.conformance.properties.bounds import EXACT, GRADIENTS, MASKS, VALUES, distance, law
from caduceus.conformance.properties.calculus import gradient_error, kernel_gradients
from caduceus.conformance.properties.walks import reverse_error, rows_error, split_error
from caduceus.conformance.subjects import Arguments, Subject

CONV = "causal_conv"


@law("convolution: values of the reference", VALUES)
def check_conv_values(subject: Subject, arguments: Arguments) -> float:
    """y at valid positions and the inputs that it carries on, against the reference."""
    seen = subject.rounded(arguments)
    return distance(subject.kernel(CONV, seen), reference.causal_conv(**seen), seen.get("mask"))


@law("convolution: gradients of the reference", GRADIENTS)
def check_conv_gradients(subject: Subject, arguments: Arguments, seed: int) -> float:
    """Derivatives by every argument along random directions, against the reference's complex step."""
    return gradient_error(subject, CONV, arguments, seed)


@law("convolution: a split with carried state changes nothing", VALUES)
def check_conv_split(subject: Subject, arguments: Arguments, cut: int) -> float:
    """The sequence in two pieces, the second from the inputs that the first left; even pieces shorter than the taps."""
    return split_error(subject, CONV, arguments, cut)


@law("convolution: reverse is flip, convolve, flip", VALUES)
def check_conv_reverse(subject: Subject, arguments: Arguments) -> float:
    """Walking backwards is walking forwards along the flipped sequence."""
    return reverse_error(subject, CONV, arguments)


@law("convolution: masked content does not matter", EXACT)
def check_conv_masked_content(subject: Subject, arguments: Arguments) -> float:
    """NaN at masked positions gives what 0 gives, y and state, to the last bit."""
    mask = arguments["mask"]
    contents = (masked_content(arguments["x"], mask, content) for content in (np.nan, 0.0))
    nan, zero = (subject.kernel(CONV, arguments | {"x": x}) for x in contents)
    return distance(nan, zero)


@law("convolution: gradients at masked positions", EXACT)
def check_conv_masked_gradients(subject: Subject, arguments: Arguments, seed: int) -> float:
    """A masked input is replaced, so its gradient is exactly 0."""
    found = kernel_gradients(subject, CONV, arguments, seed)["x"][~arguments["mask"]]
    return distance(found, np.zeros_like(found))


@law("convolution: a row alone is the row in its batch", MASKS)
def check_conv_rows(subject: Subject, arguments: Arguments) -> float:
    """Every row of a batch against a batch of that row only."""
    return rows_error(subject, CONV, arguments)
