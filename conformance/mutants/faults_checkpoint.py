"""Faults of checkpoints. Equivariance misses all of the half swap: whatever is loaded, a ps model commutes with rc.

A swap that is wrong alike on the way in and on the way out also goes through files unchanged: golden values alone tell.
"""

from __future__ import annotations

from caduceus.conformance.mutants.mutant import Mutant

SWAP = "caduceus.checkpoint.half_swap:"
ALL_BUT_VALUES = ("equivariance of golden models", "round trip of files", "golden files and back")

MUTANTS = (
    Mutant(
        "half swap: not undone when loading",
        "caduceus.checkpoint.official:from_official",
        ("unswap(spec, weights) if fused else (spec, weights)", "(spec, weights)"),
        killers=("golden values", "round trip of files", "golden files and back"),
        missed_by=("equivariance of golden models",),
    ),
    Mutant(
        "half swap: no layer is barred, neither in nor out",
        SWAP + "bar",
        ("if found is None or", "if True or"),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap: the other layers are barred",
        SWAP + "barred_layers",
        ("range(n - 2, -1, -2)", "range(n - 1, -1, -2)"),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap: every layer is barred",
        SWAP + "barred_layers",
        ("range(n - 2, -1, -2)", "range(n - 2, -1, -1)"),
        killers=("golden values", "golden gradients"),
        missed_by=("equivariance of golden models",),
    ),
    Mutant(
        "half swap: the directions of a barred layer stay",
        SWAP + "_exchanged",
        ("return other if other in values else name", "return name"),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap: a one-way layer keeps its direction",
        SWAP + "_reversed",
        ('"reverse" if mixer.direction == "forward" else "forward"', "mixer.direction"),
        killers=("golden values",),
        missed_by=("equivariance of golden models",),
    ),
    Mutant(
        "half swap: in_proj is reversed along its outputs",
        SWAP + "bar",
        ("flip(value, axis)", "flip(value, 0)"),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap: the norms of a barred layer stay",
        SWAP + "bar",
        ("axis is None", 'axis is None or found["part"] == "norms"'),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap, odd depth: the table stays as it is",
        SWAP + "exchanged_table",
        ("flip(table[list(alphabet.complement)], 1)", "table"),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap, odd depth: the table's channels are not reversed",
        SWAP + "exchanged_table",
        ("flip(table[list(alphabet.complement)], 1)", "table[list(alphabet.complement)]"),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap, odd depth: the table's tokens are not complemented",
        SWAP + "exchanged_table",
        ("table[list(alphabet.complement)]", "table"),
        killers=("golden values",),
        missed_by=ALL_BUT_VALUES,
    ),
    Mutant(
        "half swap, odd depth: the head gets the exchanged table too",
        SWAP + "unswap",
        (
            'values["head.weight"] = values["embedding.weight"]',
            'values["head.weight"] = exchanged_table(values["embedding.weight"], spec.embedding.alphabet)',
        ),
        killers=("golden values",),
        missed_by=("equivariance of golden models",),
    ),
    Mutant(
        "half swap, odd depth: the gradient of the table lacks the head's part",
        "caduceus.checkpoint.official:summed_uses",
        ('gradients["embedding.weight"] + gradients["head.weight"]', 'gradients["embedding.weight"]'),
        killers=("golden gradients",),
        missed_by=("golden values",),
    ),
    Mutant(
        "config: pooling and conjoining are not read",
        "caduceus.checkpoint.config:Config.classifier",
        ("pooling=self.pooling_strategy,", ""),
        killers=("round trip of files",),
    ),
    Mutant(
        "config: the complement map is read in the order of the file",
        "caduceus.checkpoint.config:Config.alphabet",
        ("Alphabet.from_map(self.complement_map, size)", "Alphabet(tuple(self.complement_map.values()))"),
        killers=("complement map by key",),
    ),
    Mutant(
        "refusals: unequal duplicates of a tied tensor are accepted",
        "caduceus.checkpoint.keys:collect",
        ("elif not np.array_equal(weights[entry.weight], entry.from_file(value)):", "elif False:"),
        killers=("refused files",),
    ),
    Mutant(
        "refusals: NaN is accepted",
        "caduceus.checkpoint.files:read_tensors",
        ("if bad:", "if False:"),
        killers=("refused files",),
    ),
    Mutant(
        "refusals: keys that nothing uses are accepted",
        "caduceus.checkpoint.keys:_require_all",
        ("[key for key in tensors if key not in known]", "[]"),
        killers=("refused files",),
    ),
    Mutant(
        "refusals: a complement map that contradicts the config is accepted",
        "caduceus.checkpoint.keys:_check_map",
        ("if found != alphabet:", "if False:"),
        killers=("refused files",),
    ),
)
