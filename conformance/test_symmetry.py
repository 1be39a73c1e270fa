"""The group {e, rc}: representations, spaces, alphabets; on arrays and on tensors."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caduceus.alphabet import DNA, Alphabet, dna
from caduceus.conformance import golden_cases, inputs, strategies
from caduceus.conformance.properties import representations as laws
from caduceus.symmetry import Rep, Space, Strands, Tokens, Track, Vector, permutation, signed, trivial
from caduceus.symmetry import reverse_complement as rc_text

Hold = Callable[..., None]


@given(strategies.reps(), strategies.reps(), strategies.seeds)
def test_representations(hold: Hold, first: Rep, second: Rep, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, other = rng.standard_normal((2, 3, 4, first.channels))
    y = rng.standard_normal((3, 4, second.channels))
    hold(laws.check_rep_involution, first, x)
    hold(laws.check_rep_definition, first, x)
    hold(laws.check_rep_linear, first, x, other)
    hold(laws.check_rep_on_tensors, first, x)
    hold(laws.check_rep_sum, first, second, x, y)
    hold(laws.check_rep_involution, first + second, np.concatenate([x, y], -1))


@given(strategies.spaces, strategies.seeds, st.integers(1, 3), st.integers(1, 7))
def test_spaces(hold: Hold, space: Space, seed: int, batch: int, length: int) -> None:
    x = space.sample(np.random.default_rng(seed), batch, length)
    mask = inputs.random_mask(seed, batch, length)
    space.check(x)
    hold(laws.check_space_involution, space, x, mask)
    hold(laws.check_space_definition, space, x)
    hold(laws.check_space_on_tensors, space, x, mask)


@given(st.text("ACGTN", min_size=1, max_size=30))
def test_tokens_are_the_texts(hold: Hold, text: str) -> None:
    hold(laws.check_tokens_match_text, Tokens(), text)
    assert rc_text(rc_text(text)) == text


def test_strings_are_complemented_as_the_authors() -> None:
    """Their function on their examples."""
    golden = json.loads((golden_cases.FOLDER / "rc_and_mlm.json").read_text(encoding="utf-8"))
    pairs = golden["string_reverse_complement"]
    assert pairs
    for text, expected in pairs.items():
        assert rc_text(text) == expected


@given(st.permutations(range(5)))
def test_what_is_no_involution_is_refused(perm: list[int]) -> None:
    if all(perm[j] == i for i, j in enumerate(perm)):
        assert permutation(perm).perm == tuple(perm)
        assert Alphabet(tuple(perm)).complement == tuple(perm)
    else:
        with pytest.raises(ValueError, match="not an involution"):
            permutation(perm)
        with pytest.raises(ValueError, match=r"complement map is not an involution: \d+ -> \d+ -> \d+"):
            Alphabet(tuple(perm))


@given(st.permutations(range(16)), st.booleans())
def test_complement_maps_are_read_by_integer_key(order: list[int], text: bool) -> None:
    """JSON makes keys text, and sorts "10" before "2"."""
    pairs = {str(i) if text else i: DNA.complement[i] for i in order}
    assert Alphabet.from_map(pairs) == DNA == Alphabet.from_map(pairs, 16)


def test_maps_that_leave_ids_out() -> None:
    assert Alphabet.from_map({7: 10, 8: 9, 9: 8, 10: 7}, 16) == DNA
    assert dna(12).complement == DNA.complement[:12]
    with pytest.raises(ValueError, match=r"ids \[7, 10\], expected ids from 0 to 4"):
        Alphabet.from_map({7: 10, 10: 7}, 5)
    with pytest.raises(ValueError, match="sends id 0 to 7"):
        Alphabet((7,))


@pytest.mark.parametrize(
    ("perm", "sign", "message"),
    [
        ((0, 1), (1,), "perm has 2 channels and sign 1"),
        ((0, 0), (1, 1), "expected each channel from 0 to 1 once"),
        ((1, 2, 0), (1, 1, 1), "perm is not an involution: channel 0 -> 1 -> 2"),
        ((0,), (2,), "sign of channel 0 is 2"),
        ((1, 0), (1, -1), r"rc\(rc\(x\)\) is -x at channel 0"),
    ],
)
def test_what_is_no_representation_is_refused(perm: tuple[int, ...], sign: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rep(perm, sign)


@pytest.mark.parametrize(
    ("space", "shape", "message"),
    [
        (Tokens(), (2, 3, 4), r"Tokens\(DNA\) expects shape \(B, L\), received \(2, 3, 4\)"),
        (Strands(8), (2, 2, 5, 7), r"Strands\(8\) expects shape \(B, 2, L, 8\), received \(2, 2, 5, 7\)"),
        (Strands(8), (2, 1, 5, 8), r"Strands\(8\) expects"),
        (Track(3), (2, 5), r"Track\(3\) expects shape \(B, L, 3\), received \(2, 5\)"),
        (Vector(signed(2)), (2, 3), r"Vector\(signed\(2\)\) expects shape \(B, 2\), received \(2, 3\)"),
    ],
)
def test_what_is_not_in_a_space_is_refused(space: Space, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        space.act(np.zeros(shape))


def test_equality_and_repr_are_by_value() -> None:
    assert Track(trivial(3)) == Track(3) != Track(signed(3))
    assert trivial(2) + trivial(1) == trivial(3)
    assert repr(trivial(2) + signed(3) + permutation([1, 0])) == "2 + signed(3) + permutation(1, 0)"
    assert len({Track(3), Track(trivial(3)), Vector(3), Strands(3)}) == 3
