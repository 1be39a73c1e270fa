"""A model as attribution tools want it: one-hot DNA (B, 4, L) in, numbers out, gradients all the way.

The channels are A, C, G, T. The second strand reads the same array with positions and channels turned round, so a
gradient counts both strands, and the gradient of the reverse complement is the reverse complement of the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from caduceus.alphabet import BASES, DNA
from caduceus.predict.models import both_strands
from caduceus.symmetry import Track, permutation

_ONE_HOT = Track(permutation(BASES.index(DNA.complement[base]) for base in BASES))


class OneHot(nn.Module):
    """Reads one-hot DNA through the rows of the embedding table of A, C, G and T.

    Args:
        model: what `caduceus.build` or `load_pretrained` gives; a plain model is averaged over both strands.
        output: what to make of the model's outputs (B, ...), such as ``lambda y: y[:, 0]``; None: them.

    >>> import caduceus
    >>> from caduceus import parts
    >>> head = parts.SequenceClassifier(num_labels=2)
    >>> model = caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=head))
    >>> one_hot = nn.functional.one_hot(torch.tensor([[0, 1, 2, 3, 3]]), 4).mT.float()
    >>> bool(torch.allclose(OneHot(model)(one_hot), model([[7, 8, 9, 10, 10]])))
    True
    """

    def __init__(self, model: Any, output: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.model = both_strands(model)
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        """x (B, 4, L) floats, usually one-hot; any values are read as mixtures of the bases' embeddings.

        Raises:
            ValueError: x has another shape.
        """
        if x.ndim != 3 or x.shape[1] != len(BASES):
            raise ValueError(f"x has shape {tuple(x.shape)}, expected (B, 4, L): channels A, C, G, T")
        ids = torch.full((x.shape[0], x.shape[2]), BASES[0], device=x.device)
        with self._reading(x.mT):
            y: Tensor = self.model(ids)
        return y if self.output is None else self.output(y)

    @contextmanager
    def _reading(self, x: Tensor) -> Iterator[None]:
        """While the block runs, the embedding gives that of ``x`` (B, L, 4), then that of its reverse complement."""
        embedding: Any = getattr(self.model, "model", self.model).embedding
        strands = iter((x, _ONE_HOT.act(x)))

        def read(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            return next(strands).to(output.dtype) @ embedding.weight[list(BASES)]

        handle = embedding.register_forward_hook(read)
        try:
            yield
        finally:
            handle.remove()
