"""`embed`: sequences to vectors, from named layers, pooled over what is sequence, strands kept or averaged by name.

Each strand is pooled in its own order, so that the reverse complement only exchanges the two: their average is the same
for a sequence and its reverse complement, to the last bit. Padding is in no mean and no maximum.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from caduceus.alphabet import PAD, N, encode
from caduceus.nn.pool import near_the_middle, pool
from caduceus.predict.layers import Layers
from caduceus.predict.models import inner_spec, uses_masks
from caduceus.predict.passes import TOKENS

Pooling = Literal["mean", "max", "centre", "window", "none"]
Strands = Literal["average", "both", "forward", "reverse"]
_POOLINGS = ("mean", "max", "centre", "window", "none")
_STRANDS = ("average", "both", "forward", "reverse")


class Embedder:
    """Turns sequences into arrays, a batch at a time.

    Args:
        layers: names as in `caduceus.predict.layers`.
        pooling: over the sequence: mean; max; centre, the middle base (of an even length, the mean of both); window,
            the mean of ``radius`` bases on each side of the centre and the centre; none, every position.
        strands: average; both; forward, the strand as given; reverse, the other one.
        tokens: that the model reads at once.
    """

    def __init__(
        self,
        model: Any,
        *,
        layers: Sequence[str] = ("final",),
        pooling: Pooling = "mean",
        strands: Strands = "average",
        radius: int = 16,
        tokens: int = TOKENS,
    ) -> None:
        for name, value, known in (("pooling", pooling, _POOLINGS), ("strands", strands, _STRANDS)):
            if value not in known:
                raise ValueError(f"{name} is {value!r}, expected one of {', '.join(known)}")
        if radius < 0 or tokens < 1:
            raise ValueError(f"radius is {radius} and tokens {tokens}, expected at least 0 and 1")
        self.layers = Layers(model, layers)
        self.pooling, self.strands, self.radius, self.tokens = pooling, strands, radius, tokens
        self._n_as = inner_spec(model).n_as
        self._pads = uses_masks(model)

    def __call__(self, sequences: Iterable[str]) -> Iterator[dict[str, np.ndarray]]:
        """Of each sequence, in order: layer -> (C,) float32; (2, C) for both strands; (L, C) or (2, L, C) unpooled."""
        device = next(self.layers.model.parameters()).device
        for batch in self._batches(sequences):
            ids, valid = encode(batch, side="right")
            if self._n_as == "pad":
                ids[ids == N] = PAD
            mask = torch.from_numpy(valid).to(device)
            found = self.layers(torch.from_numpy(ids).to(device), None if valid.all() else mask)
            rows = {name: self._rows(strands, mask) for name, strands in found.items()}
            for i in range(len(batch)):
                yield {name: each[i] for name, each in rows.items()}

    def _batches(self, sequences: Iterable[str]) -> Iterator[list[str]]:
        """Neighbours that fill the tokens together; where masks are ignored, only those of one length."""
        batch: list[str] = []
        for sequence in sequences:
            if not sequence:
                raise ValueError("a sequence is empty, expected at least one base")
            lengths = {len(sequence), *map(len, batch)}
            fits = max(lengths) * (len(batch) + 1) <= self.tokens and (self._pads or len(lengths) == 1)
            if batch and not fits:
                yield batch
                batch = []
            batch.append(sequence)
        if batch:
            yield batch

    def _rows(self, strands: Tensor, mask: Tensor) -> list[np.ndarray]:
        """(B, 2, L, C) to an array for each sequence."""
        first, second = strands.unbind(1)
        if self.pooling == "none":
            lengths = mask.sum(1).tolist()
            pair = torch.stack([first, second.flip(1)], 1).float().cpu().numpy()
            return [self._joined(each[:, :length]) for each, length in zip(pair, lengths, strict=True)]
        pooled = torch.stack([self._pooled(first, mask), self._pooled(second, mask.flip(1))], 1)
        return [self._joined(each) for each in pooled.float().cpu().numpy()]

    def _pooled(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.pooling == "window":
            return pool(x, "mean", near_the_middle(mask, self.radius))
        return pool(x, self.pooling, mask)

    def _joined(self, pair: np.ndarray) -> np.ndarray:
        if self.strands == "both":
            return pair
        if self.strands == "average":
            return (pair[0] + pair[1]) * np.float32(0.5)
        return pair[0 if self.strands == "forward" else 1]


def embed(model: Any, sequences: str | Iterable[str], **options: Any) -> dict[str, Any]:
    """Embeddings of sequences that fit into memory; larger sets are for the recipe, which streams.

    Args:
        model: any; its head is not asked.
        sequences: strings of A, C, G, T, N in either case; one string is a set of one.
        options: layers, pooling, strands, radius, tokens, as `Embedder`.

    Returns:
        Layer -> array (n, C) float32, (n, 2, C) for both strands (forward, reverse); unpooled a list of n arrays
        (L, C) or (2, L, C), where the reverse strand's features lie at the positions of the sequence as given.

    Raises:
        ValueError: no sequences, an empty one, or a layer, pooling or strands that there is not.

    >>> import caduceus
    >>> from caduceus import parts
    >>> model = caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()]))
    >>> found = embed(model, ["ACGTN", "GG"], layers=["final", "residual.0"], strands="both")
    >>> {name: array.shape for name, array in found.items()}
    {'final': (2, 2, 8), 'residual.0': (2, 2, 8)}
    """
    embedder = Embedder(model, **options)
    rows = list(embedder([sequences] if isinstance(sequences, str) else sequences))
    if not rows:
        raise ValueError("no sequences, expected at least one")
    columns = {name: [row[name] for row in rows] for name in embedder.layers.names}
    return columns if embedder.pooling == "none" else {name: np.stack(each) for name, each in columns.items()}
