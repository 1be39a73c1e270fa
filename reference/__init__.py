"""The reference: every interface in NumPy, from the paper's formulas, slow and plain; `caduceus.reference`.

It shares with the torch code the specs (parts, names and shapes of weights) and the data of the symmetry (complement
map, signed permutations of channels), and nothing else, so agreement means something. A `ps` model is written here as
the paper writes it: one hidden state [a ; b] of 2 d_model channels, with R, the flip of length and channels.

Everything computes in float64, or in complex128 where an input is complex. The formulas are analytic away from their
switches (softplus threshold, position of a maximum), which are decided on the real part: no conjugate, no modulus. So
a step of 1e-30 along the imaginary axis gives exact derivatives (`directional_derivative`).

    scan        selective_scan, causal_conv         mixers    Mamba, BiMamba, cross-strand
    norm        add_norm                            heads     pooling, the four heads, joining the strands
    embedding   one strand and [E[x] ; R(E[rc x])]  model     the stack, Symmetrize, build
    losses      masked LM, classification           calculus  complex step
"""

from caduceus.reference.backend import Backend
from caduceus.reference.calculus import directional_derivative
from caduceus.reference.model import Model
from caduceus.reference.norm import add_norm
from caduceus.reference.parts import NoReference, part_function, resolve
from caduceus.reference.scan import causal_conv, selective_scan
from caduceus.reference.symmetrize import Symmetrize, build

__all__ = [
    "Backend",
    "Model",
    "NoReference",
    "Symmetrize",
    "add_norm",
    "build",
    "causal_conv",
    "directional_derivative",
    "part_function",
    "resolve",
    "selective_scan",
]
