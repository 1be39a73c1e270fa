"""`mutagenesis`: what every base of a locus means to the model.

llr          logit[base] - logit[reference base], the position masked, for each of A, C, G, T; 0 for the reference
probability  P over A, C, G, T there
gradient     derivative of the locus' log-likelihood by the one-hot input: of the mean over its bases of log P(the base
             that is there), nothing masked; both strands count

The map of the reverse complement is the reverse complement of the map: positions and bases turned round.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import torch

from caduceus.alphabet import BASES
from caduceus.data import Genome, is_base
from caduceus.nn.modes import evaluating
from caduceus.predict.models import inner_spec, language_model, uses_masks
from caduceus.predict.one_hot import OneHot
from caduceus.predict.passes import TOKENS, Row, base_logits, log_probabilities
from caduceus.predict.windows import Place, Window, WindowReader, flank_of


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
        model: with a masked-LM head; a plain model is averaged over both strands.
        fasta: the genome.
        locus: (contig, start, end), counted from 0, end excluded.
        window: positions that a base is predicted from, odd; the gradient reads as much besides the locus.
        gradient: whether to compute it; it needs the locus and its flanks inside the contig, without N.

    Raises:
        ValueError: the locus is empty or not inside the genome, or the model ignores masks and a window passes the end
            of the contig, or a gradient is asked for where there are other letters than A, C, G, T.
    """
    genome = fasta if isinstance(fasta, Genome) else Genome(fasta)
    contig, start, end = locus
    genome.check(contig, start, end)
    if start == end:
        raise ValueError(f"{contig}:{start}-{end} is empty, expected at least one base")
    asked, flank = language_model(model), flank_of(window)
    reference = genome.fetch(contig, start, end).upper()
    whole = WindowReader(genome, flank, inner_spec(model).n_as)(Place(contig, start, end, reference))
    if not whole.valid.all() and not uses_masks(model):
        raise ValueError(
            f"{contig}:{start}-{end} is nearer than {flank} bases to its contig's end; mixers ignore masks"
        )
    llr, probability = (np.full((end - start, 4), np.nan) for _ in range(2))
    rows = (
        (i, Row(Window(*(x[i : i + window] for x in whole)), (flank,)))
        for i in range(end - start)
        if is_base(whole.ids[flank + i])
    )
    for i, (logits,) in base_logits(asked, rows, tokens):
        llr[i] = logits - logits[int(whole.ids[flank + i]) - BASES[0]]
        probability[i] = np.exp(log_probabilities(logits))
    found = _gradient(model, whole, flank) if gradient else None
    return Map(contig, start, end, reference, llr, probability, found)


def _gradient(model: Any, whole: Window, flank: int) -> np.ndarray:
    if not (whole.valid & is_base(whole.ids)).all():
        raise ValueError("the window holds N or passes the end of its contig; give gradient=False, or a smaller window")
    true = torch.from_numpy(whole.ids.astype(np.int64) - BASES[0])[None]
    inner = slice(flank, true.shape[1] - flank)

    def likelihood(logits: torch.Tensor) -> torch.Tensor:
        log_p = logits[:, inner, list(BASES)].log_softmax(-1)
        return log_p.gather(2, true[:, inner, None].to(log_p.device)).mean((1, 2))

    x = torch.nn.functional.one_hot(true, 4).mT.to(next(model.parameters())).requires_grad_()
    with evaluating(model), torch.enable_grad():
        (found,) = torch.autograd.grad(OneHot(model, likelihood)(x).sum(), x)
    return found[0, :, inner].T.double().cpu().numpy()
