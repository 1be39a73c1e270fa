"""The half swap of published ps models, moved into the weights (docs/published_models.md 2.7).

With `fused_add_norm` the authors' block B exchanges the channel halves of its input first: the model computes
B_{n-1} S ... B_0 S instead of B_{n-1} ... B_0. Write R for the flip of length and channels of a half, Q for R on both
halves and rho for the action of rc. Then S = Q rho, rho commutes with every block, and so, for n layers,

    B_{n-1} S ... B_0 S = rho^n B_{n-1} (Q B_{n-2} Q) B_{n-3} (Q B_{n-4} Q) ...

Q B Q, the barred block, is a block with re-arranged weights: every weight that touches the residual stream has its
channels reversed, and the two directions change places; a Mamba that walks one way walks the other.

    even n   layers n-2, ..., 0 are barred, nothing else changes
    odd n    layers n-2, ..., 1 are barred, and rho Q = S is left before the first block: the strands enter exchanged,
             E'[y] = reverse(E[comp(y)]); the head of a language model keeps E, so the two tables are no longer one

Everything here permutes values, so it serves weights and gradients alike, arrays and tensors alike.
"""

from __future__ import annotations

import re
from typing import Any

from caduceus.alphabet import Alphabet
from caduceus.parts import Mamba, MaskedLM, Model
from caduceus.symmetry import flip

Values = dict[str, Any]

_LAYER = re.compile(r"(?P<part>mixers|norms)\.(?P<layer>\d+)\.(?P<way>fwd\.|rev\.)?(?P<name>.+)")
_OTHER_WAY = {"fwd.": "rev.", "rev.": "fwd."}
# The axis of each weight that runs along the channels of the residual stream.
_STREAM_AXIS = {
    ("norms", "weight"): 0,
    ("norms", "bias"): 0,
    ("mixers", "in_proj.weight"): 1,
    ("mixers", "out_proj.weight"): 0,
    ("mixers", "out_proj.bias"): 0,
}


def barred_layers(n: int) -> range:
    """The layers of an n-layer fused model whose weights are re-arranged.

    >>> list(barred_layers(4)), list(barred_layers(5))
    ([2, 0], [3, 1])
    """
    return range(n - 2, -1, -2)


def bar(values: Values, layers: range) -> Values:
    """The same values with the blocks of ``layers`` barred; its own inverse."""
    out: Values = {}
    for name, value in values.items():
        found = _LAYER.fullmatch(name)
        if found is None or int(found["layer"]) not in layers:
            out[name] = value
            continue
        axis = _STREAM_AXIS.get((found["part"], found["name"]))
        out[_exchanged(name, found, values)] = value if axis is None else flip(value, axis)
    return out


def _exchanged(name: str, found: re.Match[str], values: Values) -> str:
    """The name in the other direction, where that direction has such a weight of its own."""
    if found["way"] is None:
        return name
    other = f"{found['part']}.{found['layer']}.{_OTHER_WAY[found['way']]}{found['name']}"
    return other if other in values else name


def exchanged_table(table: Any, alphabet: Alphabet) -> Any:
    """E' with E'[y] = reverse(E[comp(y)]), of a table E (V, C); its own inverse."""
    return flip(table[list(alphabet.complement)], 1)


def unswap(spec: Model, values: Values) -> tuple[Model, Values]:
    """What a fused file holds, as a model without a swap that computes the same."""
    layers = barred_layers(len(spec.mixers))
    values = bar(values, layers)
    mixers = [_reversed(mixer) if i in layers else mixer for i, mixer in enumerate(spec.mixers)]
    head = spec.head
    if len(mixers) % 2:
        if isinstance(head, MaskedLM):
            values["head.weight"] = values["embedding.weight"]
            head = head.model_copy(update={"tie": "none"})
        values["embedding.weight"] = exchanged_table(values["embedding.weight"], spec.embedding.alphabet)
    return _with(spec, mixers, head), values


def swap(spec: Model, values: Values) -> tuple[Model, Values]:
    """The inverse of `unswap`, but for odd n the head keeps its table, for the caller to compare or to add."""
    layers = barred_layers(len(spec.mixers))
    values = bar(values, layers)
    mixers = [_reversed(mixer) if i in layers else mixer for i, mixer in enumerate(spec.mixers)]
    head = spec.head
    if len(mixers) % 2:
        values["embedding.weight"] = exchanged_table(values["embedding.weight"], spec.embedding.alphabet)
        if isinstance(head, MaskedLM):
            head = head.model_copy(update={"tie": "embedding"})
    return _with(spec, mixers, head), values


def _reversed(mixer: Any) -> Any:
    """The mixer of a barred block: a BiMamba is what it was, a Mamba walks the other way."""
    if not isinstance(mixer, Mamba):
        return mixer
    return mixer.model_copy(update={"direction": "reverse" if mixer.direction == "forward" else "forward"})


def _with(spec: Model, mixers: list[Any], head: Any) -> Model:
    return spec.model_copy(update={"mixers": tuple(mixers), "head": head})
