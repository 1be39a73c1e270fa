"""Scores of alleles.

llr        logit[alt] - logit[ref] with the changed positions masked, summed over them; of substitutions
ref_prob   P(ref) over A, C, G, T there; of several bases, of all of them together
distance   Euclidean distance between the features of both alleles, each strand's averaged near the allele
pll        log-likelihood of alt minus that of ref, of insertions and deletions: the sum of log P(base | all others)
           over the allele and a few bases on each side, each base masked in its turn
pll_mean   the same with means in place of the sums

The pll sums over unequally many bases: each inserted base costs and each deleted one is saved, so that it tells
insertions from deletions before anything else. Compare it between variants of about the same length and context only,
or take pll_mean. Where the sequence repeats itself, both are high whatever the variant does. And they depend on how it
is written, as the neighbours are counted from the allele's ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum, nan, sqrt
from typing import Any, NamedTuple

import numpy as np

from caduceus.alphabet import BASES, tokenize
from caduceus.data import Allele, Genome, flank_of, is_base
from caduceus.predict.models import inner_spec, language_model
from caduceus.predict.passes import TOKENS, Row, base_logits, log_probabilities, pooled_features
from caduceus.predict.windows import Place, WindowReader, trimmed


@dataclass(frozen=True)
class Scoring:
    """What is scored, and how.

    Attributes:
        window: positions of a window around one base, odd.
        radius: positions on each side of the allele that the distance averages over; None: no distance.
        neighbours: positions on each side of an insertion or deletion that its pll and pll_mean read; None: neither.
        tokens: that the model reads at once.
    """

    window: int = 1025
    radius: int | None = 16
    neighbours: int | None = 8
    tokens: int = TOKENS

    def __post_init__(self) -> None:
        flank = flank_of(self.window)
        for name in ("radius", "neighbours"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= flank:
                raise ValueError(f"{name} is {value}, expected 0 to {flank}, half of the window")
        if self.tokens < 1:
            raise ValueError(f"tokens is {self.tokens}, expected at least 1")


class Score(NamedTuple):
    """Scores of an allele; NaN where one does not apply. See the module."""

    llr: float = nan
    ref_prob: float = nan
    distance: float = nan
    pll: float = nan
    pll_mean: float = nan


class Scorer:
    """Scores alleles that `caduceus.data.Judge` lets pass, any number at a time.

    Alleles at one place share the pass that has it masked and the one that reads the reference.
    """

    def __init__(self, model: Any, genome: Genome, scoring: Scoring | None = None) -> None:
        self.scoring = scoring or Scoring()
        self.model = language_model(model)
        self.flank = flank_of(self.scoring.window)
        self.read = WindowReader(genome, self.flank, inner_spec(model).n_as)

    def __call__(self, alleles: Sequence[Allele]) -> list[Score]:
        """A score for each allele, in order."""
        cut = [trimmed(allele) for allele in alleles]
        substitutions = [a for a in cut if len(a.ref) == len(a.alt)]
        others = [a for a in cut if len(a.ref) != len(a.alt)]
        logits = dict(base_logits(self.model, self._masked(substitutions), self.scoring.tokens))
        features = self._features(cut)
        likelihoods = {} if self.scoring.neighbours is None else self._likelihoods(others)
        found = []
        for a in cut:
            ref, alt = _place(a, a.ref), _place(a, a.alt)
            score = Score(distance=_distance(features[ref], features[alt])) if features else Score()
            if len(a.ref) == len(a.alt):
                score = score._replace(**_compared(logits[ref, _changed(a)], a))
            elif likelihoods:
                (total, mean), (total_ref, mean_ref) = likelihoods[alt], likelihoods[ref]
                score = score._replace(pll=total - total_ref, pll_mean=mean - mean_ref)
            found.append(score)
        return found

    def _masked(self, alleles: Sequence[Allele]) -> Iterator[tuple[tuple[Place, tuple[int, ...]], Row]]:
        """The reference window of each substitution, its changed positions masked, once."""
        for place, changed in dict.fromkeys((_place(a, a.ref), _changed(a)) for a in alleles):
            yield (place, changed), Row(self.read(place), tuple(self.flank + i for i in changed))

    def _features(self, alleles: Sequence[Allele]) -> dict[Place, np.ndarray]:
        if self.scoring.radius is None:
            return {}
        places = dict.fromkeys(_place(a, bases) for a in alleles for bases in (a.ref, a.alt))
        rows = ((place, Row(self.read(place))) for place in places)
        margin = self.flank - self.scoring.radius
        return dict(pooled_features(self.model, rows, margin, self.scoring.tokens))

    def _likelihoods(self, alleles: Sequence[Allele]) -> dict[Place, tuple[float, float]]:
        """Sum and mean over the bases near each place; 0 where all of them are N."""
        terms: dict[Place, list[float]] = {_place(a, bases): [] for a in alleles for bases in (a.ref, a.alt)}
        for (place, base), logits in base_logits(self.model, self._each_masked(terms), self.scoring.tokens):
            terms[place].append(float(log_probabilities(logits)[0, base]))
        return {place: (fsum(found), fsum(found) / max(1, len(found))) for place, found in terms.items()}

    def _each_masked(self, places: Sequence[Place] | dict[Place, Any]) -> Iterator[tuple[tuple[Place, int], Row]]:
        """Each place's window once for every base near it, that base masked; the key says which base it is."""
        for place in places:
            window = self.read(place)
            margin = self.flank - (self.scoring.neighbours or 0)
            for i in range(margin, len(window.ids) - margin):
                if window.valid[i] and is_base(window.ids[i]):
                    yield (place, int(window.ids[i]) - BASES[0]), Row(window, (i,))


def _place(allele: Allele, bases: str) -> Place:
    return Place(allele.contig, allele.start, allele.end, bases)


def _changed(allele: Allele) -> tuple[int, ...]:
    """Which bases of a substitution change; all of them where none does."""
    changed = tuple(i for i, (a, b) in enumerate(zip(allele.ref, allele.alt, strict=True)) if a != b)
    return changed or tuple(range(len(allele.ref)))


def _compared(logits: np.ndarray, allele: Allele) -> dict[str, float]:
    """llr and ref_prob from logits (changed, 4). Sums are rounded once, so that their order does not matter."""
    changed = _changed(allele)
    ref, alt = ([tokenize(bases[i])[0] - BASES[0] for i in changed] for bases in (allele.ref, allele.alt))
    rows = np.arange(len(changed))
    probability = log_probabilities(logits)[rows, ref]
    return {"llr": fsum(logits[rows, alt] - logits[rows, ref]), "ref_prob": float(np.exp(fsum(probability)))}


def _distance(ref: np.ndarray, alt: np.ndarray) -> float:
    """Between features (2, C); each strand is summed by itself, so that exchanging them changes no bit."""
    first, second = ((ref - alt) ** 2).sum(1)
    return sqrt(first + second)


def copied(allele: Allele) -> Allele:
    """The reference in place of the alternate: the control that must score nothing.

    >>> copied(Allele("1", 4, 5, "A", "G"))
    Allele(contig='1', start=4, end=5, ref='A', alt='A')
    """
    return allele._replace(alt=allele.ref)
