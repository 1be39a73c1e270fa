"""`mutagenesis`: what every base of a locus means to the model.

llr          logit[base] - logit[reference base], the position masked, for each of A, C, G, T; 0 for the reference
probability  P over A, C, G, T there
gradient     derivative of the locus' log-likelihood by the one-hot input: of the sum over its bases of log P(the base
             that is there), nothing masked; both strands count

The map of the reverse complement is the reverse complement of the map, positions and bases turned round: to the bit
where a model's strands never mix and its kernels treat each row by itself.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from caduceus.alphabet import BASES
from caduceus.data import ContigNames, Genome, flank_of, is_base
from caduceus.nn.modes import evaluating
from caduceus.predict.models import inner_spec, language_model, uses_masks
from caduceus.predict.one_hot import OneHot
from caduceus.predict.passes import TOKENS, Row, base_logits, log_probabilities
from caduceus.predict.windows import Place, Window, WindowReader


class Map(NamedTuple):
    """What a locus, bases [start, end) of a contig, means to the model.

    Attributes:
        reference: its bases, upper case.
        llr, probability: (end - start, 4) float64, of A, C, G, T; NaN where the genome has another letter.
        gradient: (end - start, 4) float64; None where it was not asked for.
    """

    contig: str
    start: int
    end: int
    reference: str
    llr: np.ndarray
    probability: np.ndarray
    gradient: np.ndarray | None


class Mapper:
    """Maps loci of a genome. A base's llr and probability come from its own window: a long locus may come in pieces.

    Args:
        model: with a masked-LM head; a plain model is averaged over both strands.
        window: positions that a base is predicted from, odd; the gradient reads as much besides the locus.
        tokens: that the model reads at once.
    """

    def __init__(self, model: Any, genome: Genome, window: int = 1025, tokens: int = TOKENS) -> None:
        self.model = language_model(model)
        self.genome, self.flank, self.tokens = genome, flank_of(window), tokens
        self._read = WindowReader(genome, self.flank, inner_spec(model).n_as)
        self._masks = uses_masks(model)

    def __call__(self, contig: str, start: int, end: int, *, gradient: bool = True) -> Map:
        """The map of bases [start, end); ValueError as `refuse`."""
        self.refuse(contig, start, end, gradient=gradient)
        whole = self._whole(contig, start, end)
        llr, probability = (np.full((end - start, 4), np.nan) for _ in range(2))
        rows = (
            (i, Row(Window(*(x[i : i + 2 * self.flank + 1] for x in whole)), (self.flank,)))
            for i in range(end - start)
            if is_base(whole.ids[self.flank + i])
        )
        for i, (logits,) in base_logits(self.model, rows, self.tokens):
            llr[i] = logits - logits[int(whole.ids[self.flank + i]) - BASES[0]]
            probability[i] = np.exp(log_probabilities(logits))
        reference = self.genome.fetch(contig, start, end).upper()
        return Map(contig, start, end, reference, llr, probability, self._gradient(whole) if gradient else None)

    def gradient(self, contig: str, start: int, end: int) -> np.ndarray:
        """(end - start, 4) float64 of the whole locus, in one pass and back."""
        self.refuse(contig, start, end, gradient=True)
        return self._gradient(self._whole(contig, start, end))

    def refuse(self, contig: str, start: int, end: int, *, gradient: bool) -> None:
        """Raise ValueError where there is no such map: before any is made, for all loci of a run."""
        self.genome.check(contig, start, end)
        if start == end:
            raise ValueError(f"{contig}:{start}-{end} is empty, expected at least one base")
        whole = self._whole(contig, start, end)
        if not whole.valid.all() and not self._masks:
            raise ValueError(
                f"{contig}, bases {start + 1} to {end}: nearer than {self.flank} to the contig's end, and the model "
                "has mixers that ignore masks"
            )
        if gradient and not (whole.valid & is_base(whole.ids)).all():
            raise ValueError(
                f"{contig}, bases {start + 1} to {end}: nearer than {self.flank} to an N or to the contig's end, where "
                "there is no gradient; leave it out (gradient: false), or give a smaller window"
            )

    def _whole(self, contig: str, start: int, end: int) -> Window:
        return self._read(Place(contig, start, end, self.genome.fetch(contig, start, end).upper()))

    def _gradient(self, whole: Window) -> np.ndarray:
        true = torch.from_numpy(whole.ids.astype(np.int64) - BASES[0])[None]
        inner = slice(self.flank, true.shape[1] - self.flank)

        def likelihood(logits: Tensor) -> Tensor:
            bases = logits[:, inner, list(BASES)]
            there = bases.gather(2, true[:, inner, None].to(bases.device))[..., 0]
            return (there - _log_sum(bases)).sum(1)

        x = torch.nn.functional.one_hot(true, 4).mT.to(next(self.model.parameters())).requires_grad_()
        with evaluating(self.model), torch.enable_grad():
            (found,) = torch.autograd.grad(OneHot(self.model, likelihood)(x).sum(), x)
        return found[0, :, inner].T.double().cpu().numpy()


def _log_sum(logits: Tensor) -> Tensor:
    """log sum exp over A, C, G, T (..., 4), complementary bases first: the same bits on either strand."""
    a, c, g, t = logits.unbind(-1)
    return torch.logaddexp(torch.logaddexp(a, t), torch.logaddexp(c, g))


def mutagenesis(
    model: Any,
    fasta: Genome | str | os.PathLike[str],
    locus: tuple[str, int, int],
    *,
    window: int = 1025,
    gradient: bool = True,
    tokens: int = TOKENS,
) -> Map:
    """Saturation mutagenesis of a locus, a masked pass for each of its bases, and the gradient of its likelihood.

    Args:
        model, window, tokens: as `Mapper`.
        fasta: the genome.
        locus: (contig, start, end), counted from 0, end excluded; ``20`` and ``chr20`` are one contig.
        gradient: whether to compute it; it needs the locus and its flanks inside the contig, without N.

    Raises:
        ValueError: the locus is empty or not inside the genome, or the model ignores masks and a window passes the end
            of the contig, or a gradient is asked for where there are other letters than A, C, G, T.

    >>> import caduceus
    >>> from caduceus import parts
    >>> from caduceus.data import ecoli_path
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    >>> found = mutagenesis(caduceus.build(spec), ecoli_path(), ("K-12-MG1655", 100, 104), window=33)
    >>> found.reference, found.llr.shape, found.probability.sum(1).round(6).tolist()
    ('TAAA', (4, 4), [1.0, 1.0, 1.0, 1.0])
    """
    genome = fasta if isinstance(fasta, Genome) else Genome(fasta)
    contig, start, end = locus
    mapper = Mapper(model, genome, window, tokens)
    return mapper(ContigNames(genome.contigs).called(contig), start, end, gradient=gradient)
