"""Hypothesis strategies: specs of every part, kernel arguments, representations; of every kind, of small size."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from caduceus import parts
from caduceus.alphabet import Alphabet
from caduceus.conformance import inputs
from caduceus.conformance.subjects import Arguments
from caduceus.spec import Spec
from caduceus.symmetry import Rep, Space, Strands, Tokens, Track, Vector

FEW = settings(max_examples=max(3, settings().max_examples // 5))
"""For properties that many models are tried on: fewer examples of each."""

seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(1, 3) | st.sampled_from([5, 7, 11, 13]) | st.integers(4, 12)
batches = st.integers(1, 3)
directions = st.sampled_from(["forward", "reverse"])
poolings = st.sampled_from(["mean", "max", "first", "last", "centre"])

mambas = st.builds(
    parts.Mamba,
    d_state=st.integers(1, 5),
    d_conv=st.integers(1, 5),
    expand=st.sampled_from([1, 1.5, 2]),
    dt_rank=st.just("auto") | st.integers(1, 3),
    dt_min=st.just(0.05),
    dt_max=st.just(0.9),
    conv_bias=st.booleans(),
    bias=st.booleans(),
)
one_way = st.builds(lambda m, d: m.model_copy(update={"direction": d}), mambas, directions)
bimambas = st.builds(
    parts.BiMamba,
    mamba=mambas,
    fusion=st.sampled_from(["add", "multiply"]),
    tie=st.sampled_from(["projections", "none"]),
)
mixers = one_way | bimambas
norms = st.builds(parts.Norm, kind=st.sampled_from(["rms", "layer"]), eps=st.sampled_from([1e-5, 1e-3]))
_channels = {"invariant": st.integers(1, 2), "stranded": st.integers(0, 2), "signed": st.integers(0, 2)}
tracks = st.builds(parts.TrackHead, bias=st.booleans(), **_channels)
vectors = st.builds(parts.VectorHead, bias=st.booleans(), pooling=poolings, **_channels)
masked_lms = st.builds(parts.MaskedLM, tie=st.sampled_from(["embedding", "none"]))
classifiers = st.builds(parts.SequenceClassifier, num_labels=st.integers(1, 3), pooling=poolings, bias=st.booleans())
heads = masked_lms | classifiers | tracks | vectors


@st.composite
def models(draw: st.DrawFn, equivariance: Any = None, mixer: Any = mixers, head: Any = heads) -> parts.Model:
    """A model of up to two layers; ``equivariance`` ps, ph or none, any if not given."""
    return parts.Model(
        equivariance=equivariance or draw(st.sampled_from(["ps", "ph", "none"])),
        embedding=parts.Embedding(d_model=draw(st.integers(2, 7))),
        mixers=draw(st.lists(mixer, min_size=1, max_size=2)),
        norm=draw(norms),
        head=draw(head),
        n_as=draw(st.sampled_from(["pad", "n"])),
    )


any_mixers = mixers | st.just(parts.CrossStrand())
averages = st.builds(lambda model: parts.Symmetrize(model=model), models())
ps_models = models("ps", any_mixers, st.none() | heads)
any_models: st.SearchStrategy[Spec] = models() | ps_models | averages


@st.composite
def scans(draw: st.DrawFn, **fixed: Any) -> Arguments:
    """Arguments of `selective_scan`."""
    chosen = {
        "batch": batches,
        "length": lengths,
        "channels": st.integers(1, 5),
        "states": st.integers(1, 5),
        "softplus": st.booleans(),
        "reverse": st.booleans(),
        "masked": st.booleans(),
        "extras": st.booleans(),
    }
    return inputs.scan_arguments(draw(seeds), **({n: draw(s) for n, s in chosen.items()} | fixed))


@st.composite
def convolutions(draw: st.DrawFn, **fixed: Any) -> Arguments:
    """Arguments of `causal_conv`; sequences may be shorter than the taps."""
    chosen = {
        "batch": batches,
        "length": lengths,
        "channels": st.integers(1, 5),
        "taps": st.integers(1, 5),
        "activation": st.sampled_from([None, "silu"]),
        "reverse": st.booleans(),
        "masked": st.booleans(),
        "extras": st.booleans(),
    }
    return inputs.conv_arguments(draw(seeds), **({n: draw(s) for n, s in chosen.items()} | fixed))


@st.composite
def norm_arguments(draw: st.DrawFn) -> Arguments:
    """Arguments of `add_norm`."""
    chosen = {
        "batch": batches,
        "length": lengths,
        "channels": st.integers(1, 19),
        "kind": st.sampled_from(["rms", "layer"]),
        "residual": st.booleans(),
    }
    return inputs.norm_arguments(draw(seeds), **{n: draw(s) for n, s in chosen.items()})


@st.composite
def involutions(draw: st.DrawFn, size: int) -> tuple[int, ...]:
    """A permutation of ``size`` things that is its own inverse."""
    order = draw(st.permutations(range(size)))
    pairs = draw(st.integers(0, size // 2))
    found = list(range(size))
    for a, b in zip(order[: 2 * pairs : 2], order[1 : 2 * pairs : 2], strict=True):
        found[a], found[b] = b, a
    return tuple(found)


@st.composite
def reps(draw: st.DrawFn, largest: int = 6) -> Rep:
    """A representation: both channels of a pair have one sign."""
    perm = draw(st.integers(1, largest).flatmap(involutions))
    signs = draw(st.lists(st.sampled_from([1, -1]), min_size=len(perm), max_size=len(perm)))
    return Rep(perm, tuple(signs[min(i, j)] for i, j in enumerate(perm)))


alphabets = st.integers(1, 20).flatmap(involutions).map(Alphabet)
_channels_alone = st.builds(Track, reps()) | st.builds(Vector, reps())
spaces: st.SearchStrategy[Space] = (
    st.builds(Tokens, alphabets) | st.builds(Strands, st.integers(1, 5)) | _channels_alone
)
