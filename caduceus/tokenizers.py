"""The two tokenizers that the published models were trained with, as thin layers over `caduceus.alphabet.tokenize`.

    CaduceusTokenizer    pre-training: upper-cases; appends [SEP]; gives input_ids alone
    CharacterTokenizer   fine-tuning (from HyenaDNA): a lower-case base is [UNK]; [CLS] ... [SEP]; also gives a mask

Both pad on the left and cut on the right. Inside this library `caduceus.encode` is the one to use: these two exist to
reproduce what the authors' datasets feed. Source: official behaviour, as recorded by running the authors' classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from caduceus.alphabet import BOS, CLS, DNA_COMPLEMENT, MASK, PAD, SEP, TOKENS, UNK, decode, tokenize

Encoding = dict[str, Any]


class _CharacterLevel:
    """What both tokenizers share; the class variables say where they differ."""

    upper: ClassVar[bool]
    prefix: ClassVar[tuple[int, ...]] = ()
    suffix: ClassVar[tuple[int, ...]] = (SEP,)
    model_input_names: ClassVar[tuple[str, ...]]
    padding_side: ClassVar[str] = "left"

    cls_token_id: ClassVar[int] = CLS
    sep_token_id: ClassVar[int] = SEP
    bos_token_id: ClassVar[int] = BOS
    eos_token_id: ClassVar[int]
    mask_token_id: ClassVar[int] = MASK
    pad_token_id: ClassVar[int] = PAD
    unk_token_id: ClassVar[int] = UNK

    def __len__(self) -> int:
        return len(TOKENS)

    def get_vocab(self) -> dict[str, int]:
        """Token -> id."""
        return {token: i for i, token in enumerate(TOKENS)}

    @property
    def complement_map(self) -> dict[int, int]:
        """Id -> id of the complement, for every id of the vocabulary."""
        return dict(enumerate(DNA_COMPLEMENT[: len(self)]))

    def __call__(
        self,
        text: str | Sequence[str],
        *,
        add_special_tokens: bool = True,
        padding: Literal["max_length"] | bool = False,
        truncation: bool = False,
        max_length: int | None = None,
    ) -> Encoding:
        """Encode a string, or each of several strings.

        Args:
            add_special_tokens: put the special tokens of this tokenizer around the sequence.
            padding: ``"max_length"`` pads on the left with [PAD] up to ``max_length``. As in the authors' library, a
                single text without any token stays empty.
            truncation: cut the end of the sequence so that it fits ``max_length`` with its special tokens.
            max_length: required by padding and truncation.

        Returns:
            name -> list of ints for a string, name -> list of lists for several; names are ``model_input_names``.

        >>> CaduceusTokenizer()("acgt")
        {'input_ids': [7, 8, 9, 10, 1]}
        >>> CharacterTokenizer()("acGT", padding="max_length", max_length=8)["input_ids"]
        [4, 4, 0, 6, 6, 9, 10, 1]
        """
        if padding not in (False, "max_length"):
            raise ValueError(f'padding is {padding!r}, expected False or "max_length"')
        if max_length is None and (padding or truncation):
            raise ValueError("padding and truncation need max_length, got None")
        if isinstance(text, str):
            ids = self._ids(text, add_special_tokens, max_length if truncation else None)
            return self._inputs(ids, max_length if padding and ids else None)
        rows = [self._ids(one, add_special_tokens, max_length if truncation else None) for one in text]
        encoded = [self._inputs(ids, max_length if padding else None) for ids in rows]
        return {name: [row[name] for row in encoded] for name in self.model_input_names}

    def encode(self, text: str, **options: Any) -> list[int]:
        """The ids alone; options as in a call."""
        ids: list[int] = self(text, **options)["input_ids"]
        return ids

    def decode(self, ids: Any, *, skip_special_tokens: bool = False) -> str:
        """Text of ids (L,), joined without spaces."""
        text = decode(ids, skip_special=skip_special_tokens)
        if not isinstance(text, str):
            raise ValueError("decode takes the ids of one sequence; use caduceus.decode for a batch")
        return text

    def _ids(self, text: str, special: bool, longest: int | None) -> list[int]:
        prefix, suffix = (self.prefix, self.suffix) if special else ((), ())
        ids = tokenize(text, upper=self.upper)
        if longest is not None:
            ids = ids[: max(0, longest - len(prefix) - len(suffix))]
        return [*prefix, *ids, *suffix]

    def _inputs(self, ids: list[int], pad_to: int | None) -> Encoding:
        padding = max(0, (pad_to or 0) - len(ids))
        columns = {
            "input_ids": [PAD] * padding + ids,
            "token_type_ids": [0] * (padding + len(ids)),
            "attention_mask": [0] * padding + [1] * len(ids),
        }
        return {name: columns[name] for name in self.model_input_names}


class CaduceusTokenizer(_CharacterLevel):
    """Tokenizer of the published checkpoints: reads either case, appends [SEP], gives ``input_ids`` alone."""

    upper = True
    eos_token_id = SEP
    model_input_names = ("input_ids",)


class CharacterTokenizer(_CharacterLevel):
    """Tokenizer of the fine-tuning datasets: case-sensitive, [CLS] ... [SEP], token types and an attention mask."""

    upper = False
    prefix = (CLS,)
    eos_token_id = PAD
    model_input_names = ("input_ids", "token_type_ids", "attention_mask")
