"""What a third party's part does that it may not is said by its name; what it may do works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance.catalogue import BOTH
from caduceus.spec import Role, Spec


class Answers(torch.nn.Module):
    """A mixer that returns whatever it is told to."""

    def __init__(self, answer: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: torch.Tensor, mask: Any = None) -> Any:
        return self.answer(x)


class Answering(Spec):
    """The spec of one."""

    what: str

    def module(self, backend: Any) -> Any:
        return torch.nn.Linear(8, 8) if self.what == "no mask" else Answers(ANSWERS[self.what][0])


ANSWERS: dict[str, tuple[Any, str]] = {
    "short": (lambda x: x[:, 1:], r"returned shape \(2, 8, 8\), expected \(2, 9, 8\)"),
    "wide": (lambda x: torch.cat([x, x], -1), r"returned shape \(2, 9, 16\), expected \(2, 9, 8\)"),
    "pair": (lambda x: (x, x), r"returned a tuple, expected a tensor of shape \(2, 9, 8\)"),
    "nothing": (lambda x: None, r"returned NoneType, expected a tensor of shape \(2, 9, 8\)"),
    "double": (lambda x: x.double(), r"returned torch.float64, expected torch.float32, which is what it was given"),
    "no mask": (None, r"Linear\.forward must take \(x, mask\): too many positional arguments"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_a_part_that_breaks_its_contract_is_named(what: str) -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[BOTH, Answering(what=what)])
    with pytest.raises(ValueError, match=r"^mixers\.1 \(\S+:Answering\):? " + ANSWERS[what][1]):
        caduceus.build(spec)(np.zeros((2, 9), dtype=int))


class Crossing(Spec):
    """A mixer of strands that forgets the second one."""

    role: ClassVar[Role] = "strand_mixer"

    def module(self, backend: Any) -> Any:
        class Half(torch.nn.Module):
            def forward(self, first: torch.Tensor, second: torch.Tensor, mask: Any = None) -> torch.Tensor:
                return first

        return Half()


def test_a_mixer_of_strands_returns_two() -> None:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[Crossing()])
    with pytest.raises(ValueError, match=r"returned Tensor, expected a pair of strands, each \(1, 3, 8\)"):
        caduceus.build(spec)([[7, 8, 9]])


class Table(parts.Embedding):
    """An embedding without a table."""

    def module(self, backend: Any) -> Any:
        class Ramp(torch.nn.Module):
            def forward(self, ids: torch.Tensor) -> torch.Tensor:
                return ids.unsqueeze(2).float().expand(*ids.shape, 8)

        return Ramp()


def test_a_head_is_tied_to_a_table_or_to_nothing() -> None:
    spec = parts.Model(embedding=Table(d_model=8), mixers=[BOTH], head=parts.MaskedLM())
    with pytest.raises(ValueError, match=r"embedding \(\S+:Table\) has no parameter weight of shape \(16, 8\); give"):
        caduceus.build(spec)
    untied = spec.model_copy(update={"head": parts.MaskedLM(tie="none")})
    assert caduceus.build(untied)([[7, 8, 9]]).shape == (1, 3, 16)


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'bimamba' of \S+Mine is taken by caduceus\.parts\.bimamba:BiMamba; "):

        class Mine(Spec, kind="bimamba"):
            """Not the library's."""

    assert type(caduceus.parts.Model(embedding=parts.Embedding(d_model=8), mixers=[{"kind": "bimamba"}]).mixers[0]) is (
        parts.BiMamba
    )


class Scaled(Spec):
    """A mixer with a number for a weight, and a buffer that counts."""

    def module(self, backend: Any) -> Any:
        class Scale(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.scale = torch.nn.Parameter(torch.tensor(0.5))
                self.register_buffer("steps", torch.tensor(3))

            def forward(self, x: torch.Tensor, mask: Any = None) -> torch.Tensor:
                return x * self.scale

        return Scale()


def test_numbers_are_saved_and_loaded_as_numbers(tmp_path: Path) -> None:
    model = caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[Scaled()]))
    caduceus.save_pretrained(model, tmp_path / "saved")
    found = caduceus.load_pretrained(tmp_path / "saved").weights()
    assert {name: (found[name].shape, found[name].item()) for name in ("mixers.0.scale", "mixers.0.steps")} == {
        "mixers.0.scale": ((), 0.5),
        "mixers.0.steps": ((), 3),
    }


@pytest.mark.parametrize("spec", [parts.Model, parts.Symmetrize])
def test_a_width_is_said_once(spec: type[Spec]) -> None:
    model = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[])
    fields = dict(model) if spec is parts.Model else {"model": model}
    with pytest.raises(ValueError, match=r"d_model is 9, but the \w+'s is 8; leave it out here"):
        spec.model_validate({**fields, "d_model": 9})
    assert spec.model_validate({**fields, "d_model": 8}).channels == 8


def test_a_backend_is_no_class() -> None:
    backend = type(caduceus.get_backend("torch"))
    with pytest.raises(TypeError, match=r"backend is the class TorchBackend, expected a backend: TorchBackend\(\)"):
        caduceus.build(parts.Model(embedding=parts.Embedding(d_model=8), mixers=[]), backend=backend)
