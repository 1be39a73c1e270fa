"""Faults of the action of rc and of what lifts to strands and joins them.

Most of them pass the commuting square: a wrong action that is its own inverse commutes with a model that uses it.
"""

from __future__ import annotations

from caduceus.conformance.mutants.mutant import Mutant

MUTANTS = (
    Mutant(
        "A pairs with C, and G with T",
        "caduceus.alphabet:dna",
        ("{A: T, C: G, G: C, T: A}", "{A: C, C: A, G: T, T: G}"),
        killers=("text",),
        missed_by=("involution", "equivariance"),
    ),
    Mutant(
        "rc of tokens: no complement",
        "caduceus.symmetry:Tokens._act",
        ("flip(table[x], 1)", "flip(x, 1)"),
        killers=("text", "golden values"),
        missed_by=("involution", "equivariance"),
    ),
    Mutant(
        "rc of tokens: no flip",
        "caduceus.symmetry:Tokens._act",
        ("flip(table[x], 1)", "table[x]"),
        killers=("text", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "rc of a track: no flip",
        "caduceus.symmetry:Track._act",
        ("self.rep.act(flip(x, 1))", "self.rep.act(x)"),
        killers=("action of rc", "model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "rc of logits: the vocabulary does not permute",
        "caduceus.symmetry:token_rep",
        ("permutation(alphabet.complement)", "trivial(alphabet.size)"),
        killers=("golden values",),
        missed_by=("equivariance", "action of rc"),
    ),
    Mutant(
        "rc of strands: not exchanged",
        "caduceus.symmetry:Strands._act",
        ("return flip(x, 1)", "return x"),
        killers=("action of rc", "equivariance of features"),
    ),
    Mutant(
        "rc of channels: signs are forgotten",
        "caduceus.symmetry:Rep.act",
        ("if all(s == 1 for s in self.sign):", "if True:"),
        killers=("action of rc", "model values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "rc of channels: pairs stay in place",
        "caduceus.symmetry:Rep.act",
        ("x[..., list(self.perm)]", "x[...]"),
        killers=("action of rc", "model values", "golden values"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "rc of channels: tensors lose the sign that arrays keep",
        "caduceus.symmetry:Rep.act",
        ("y.new_tensor(self.sign)", "y.new_ones(len(self.sign))"),
        killers=("action of rc", "equivariance", "model values"),
    ),
    Mutant(
        "rc of a mask: no flip",
        "caduceus.symmetry:Space.act",
        ("(y, flip(mask, 1))", "(y, mask)"),
        killers=("involution", "equivariance under masks"),
        missed_by=("equivariance",),
    ),
    Mutant(
        "rc of text: not reversed",
        "caduceus.symmetry:reverse_complement",
        ("sequence[::-1].translate", "sequence.translate"),
        killers=("text",),
    ),
    Mutant(
        "lift: both strands read the sequence itself",
        "caduceus.nn.model:Model._lift",
        ("[ids, self.space_in.act(ids)]", "[ids, ids]"),
        killers=("equivariance", "equivariance of golden models", "golden values"),
    ),
    Mutant(
        "project: the second strand is added as it is",
        "caduceus.nn.model:Model.forward",
        ("self.space_out.act(outputs[1])", "outputs[1]"),
        killers=("equivariance", "model values", "golden values"),
    ),
    Mutant(
        "project: the first strand alone",
        "caduceus.nn.model:Model.forward",
        ("outputs[0] + self.space_out.act(outputs[1])", "outputs[0] * 2"),
        killers=("equivariance", "model values", "golden values"),
    ),
    Mutant(
        "project: first and last exchanged on the second strand",
        "caduceus.nn.model:Model.forward",
        (
            "for x, valid in zip(features, masks, strict=True)]",
            "for x, valid in zip([features[0], *(flip(x, 1) for x in features[1:])], masks, strict=True)]",
        ),
        killers=("equivariance", "model values"),
    ),
    Mutant(
        "features: the strands change places",
        "caduceus.nn.model:Model._stack",
        ("torch.stack(features, 1)", "torch.stack(features[::-1], 1)"),
        killers=("model values", "golden values"),
        missed_by=("equivariance", "equivariance of features"),
    ),
    Mutant(
        "group average: without the action on the output",
        "caduceus.nn.symmetrize:Symmetrize.forward",
        ("self.space_out.act(there)", "there"),
        killers=("equivariance", "model values"),
    ),
    Mutant(
        "group average: the sum of both",
        "caduceus.nn.symmetrize:Symmetrize.forward",
        ("* 0.5", "* 1.0"),
        killers=("model values",),
        missed_by=("equivariance",),
    ),
    Mutant(
        "conjoin: in training instead of evaluation",
        "caduceus.nn.model:Model._reads_both",
        ("not self.training", "self.training"),
        killers=("model values", "golden values"),
    ),
)
