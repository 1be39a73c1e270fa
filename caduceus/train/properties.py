"""What a model declares, asserted on the model that was built, before it reads any data.

ps                      reverse-complement equivariance, error exactly 0.0
all mixers read both    every output depends on both ends of the sequence
all mixers use masks    outputs at valid positions do not depend on padding: how much, on which side, holding what
"""

from __future__ import annotations

import numpy as np
import torch

from caduceus.alphabet import BASES, PAD
from caduceus.check import assert_bidirectional, assert_equivariant
from caduceus.nn.model import Model
from caduceus.nn.modes import evaluating
from caduceus.parts import BiMamba

_LENGTH = 12
_MASK_TOLERANCE = 1e-5


def assert_declared(model: Model) -> list[str]:
    """Check a model that `caduceus.build` made from a `parts.Model`; short inputs, so that large ones take seconds too.

    Returns:
        A line for each property that holds, or that is not declared.

    Raises:
        AssertionError: a declared property does not hold.

    >>> import caduceus
    >>> from caduceus import parts
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    >>> for line in assert_declared(caduceus.build(spec)):
    ...     print(line)
    equivariance: error exactly 0.0
    bidirectional: every output depends on both ends
    masks: outputs do not depend on padding
    """
    spec = model.spec
    lines = []
    if spec.equivariance == "ps":
        assert_equivariant(model, lengths=(1, 2, 7, 16), batch=1, n=1)
        lines.append("equivariance: error exactly 0.0")
    else:
        lines.append(f"equivariance: not declared ({spec.equivariance})")
    if _pools(model):
        lines.append("bidirectional: not asked of a head that pools")
    elif spec.mixers and all(isinstance(mixer, BiMamba) for mixer in spec.mixers):
        assert_bidirectional(model, length=_LENGTH)
        lines.append("bidirectional: every output depends on both ends")
    else:
        lines.append("bidirectional: not declared by every mixer")
    if all(mixer.uses_mask for mixer in spec.mixers):
        assert_independent_of_padding(model)
        lines.append("masks: outputs do not depend on padding")
    else:
        lines.append("masks: not declared by every mixer")
    return lines


def assert_independent_of_padding(model: Model, *, seed: int = 0) -> None:
    """Raise AssertionError if padding changes an output, of a valid position or of the sequence if the head pools."""
    rng = np.random.default_rng(seed)
    ids = rng.choice(BASES, (1, _LENGTH))
    parameter = next(model.parameters())
    tolerance = 1e-12 if parameter.dtype == torch.float64 else _MASK_TOLERANCE
    with evaluating(model):
        alone = model(ids)
        for left, right in ((3, 0), (0, 5), (2, 4)):
            for filling in (PAD, BASES[0]):
                padded = np.pad(ids, ((0, 0), (left, right)), constant_values=filling)
                mask = np.pad(np.ones_like(ids, dtype=bool), ((0, 0), (left, right)))
                found = model(padded, mask)
                if not _pools(model):
                    found = found[..., left : left + _LENGTH, :]
                error = float((found - alone).abs().max())
                if not error <= tolerance * max(1.0, float(alone.abs().max())):
                    raise AssertionError(
                        f"outputs change by {error:.3g} with {left} padded positions before and {right} after, "
                        f"holding id {filling}; expected at most {tolerance:g}: a mask is not obeyed"
                    )


def _pools(model: Model) -> bool:
    """Whether there is one output a sequence, not one a position."""
    return model.spec.head is not None and model.spec.head.pooling is not None
