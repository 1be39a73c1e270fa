"""The paper's models by name: sizes of the pre-training runs (Schiff et al. 2024, Table 3; README and scripts).

Two shapes of network, `ps` and `ph`, and five sizes; all read 16 ids, tie the language model head to the embedding, and
were pretrained with N fed as [PAD].
"""

from __future__ import annotations

import difflib

from caduceus.parts import BiMamba, Embedding, MaskedLM, Model

_SIZES = {  # size: (d_model, layers)
    "1k-d118": (118, 4),
    "1k-d128": (128, 4),
    "1k-d256": (256, 4),
    "32k": (256, 8),
    "131k": (256, 16),
}


def names() -> list[str]:
    """Names that `spec` takes.

    >>> names()[:2]
    ['caduceus-ps-1k-d118', 'caduceus-ps-1k-d128']
    """
    return [f"caduceus-{equivariance}-{size}" for equivariance in ("ps", "ph") for size in _SIZES]


def spec(name: str) -> Model:
    """The spec of one of the paper's models.

    Raises:
        ValueError: no model has that name; the message names the closest.

    >>> len(spec("caduceus-ps-131k").mixers)
    16
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.0)[0]
        raise ValueError(f"unknown model {name!r}, did you mean {near!r}? Known: {', '.join(names())}")
    _, equivariance, size = name.split("-", 2)
    d_model, layers = _SIZES[size]
    return Model(
        equivariance=equivariance,
        embedding=Embedding(d_model=d_model),
        mixers=[BiMamba()] * layers,
        head=MaskedLM(),
        n_as="pad",
    )
