"""What a benchmark counts: work, the floor that limits imply, and figures from several rows."""

from __future__ import annotations

from typing import Any

import pytest

from caduceus import parts
from caduceus.bench.derived import derived
from caduceus.bench.floor import count, floor_seconds, per_token
from caduceus.bench.work import Work
from caduceus.conformance.examples.dilated_conv import DilatedConv
from caduceus.conformance.recipes.bench_examples import LIMITS, model


@pytest.mark.parametrize(
    ("mixer", "flop", "updates"),
    [
        # 2 (2 d E + 2 E (R + 2 N) + 2 R E + E d), 2 E N, with d 256, E 512, R 16, N 16
        (parts.BiMamba(), 2 * (262_144 + 49_152 + 16_384 + 131_072), 16_384),
        (parts.BiMamba(fusion="multiply"), 2 * (262_144 + 49_152 + 16_384 + 2 * 131_072), 16_384),
        (parts.BiMamba(tie="none"), 2 * (2 * 262_144 + 49_152 + 16_384 + 2 * 131_072), 16_384),
        (parts.Mamba(), 2 * (262_144 + 24_576 + 8_192 + 131_072), 8_192),
        (parts.Mamba(d_state=4, expand=1, dt_rank=3), 2 * (131_072 + 256 * 11 + 3 * 256 + 65_536), 1_024),
    ],
)
def test_the_work_of_a_layer(mixer: Any, flop: int, updates: int) -> None:
    assert per_token(mixer.model_copy(update={"d_model": 256})) == (flop, updates)


def test_the_work_of_a_paper_layer_is_what_the_plan_says() -> None:
    found = per_token(parts.BiMamba(d_model=256))
    assert found is not None
    assert round(found.flop / 1e6, 2) == 0.92
    assert found.updates == 16_384


def test_the_work_of_scan_layer_and_model() -> None:
    spec = model(d_model=256)
    layer = 917_504, 16_384
    assert count(Work("layer", "forward", spec, 8, 1024)) == tuple(8192 * x for x in layer)
    assert count(Work("model", "forward", spec, 8, 1024)) == tuple(8192 * 2 * x for x in layer)
    assert count(Work("model", "forward", model("ps", 256), 8, 1024)) == tuple(8192 * 4 * x for x in layer)
    assert count(Work("scan", "forward", spec, 1, 8192)) == (0, 8192 * 512 * 16)


def test_the_floor_by_hand() -> None:
    """8 x 1024 tokens through four layers of d_model 256: 0.0567 s in products, 0.0198 s in updates."""
    spec = model(d_model=256).model_copy(update={"mixers": (parts.BiMamba(),) * 4})
    flop, updates = 8192 * 4 * 917_504, 8192 * 4 * 16_384
    forward = flop / 530e9 + updates * (1 / 39e9 + 6 / 530e9)
    backward = 2 * flop / 530e9 + updates * (1 / 39e9 + 22 / 530e9)
    work = Work("model", "forward", spec, 8, 1024)
    assert floor_seconds(work, LIMITS) == pytest.approx(forward, rel=1e-12)
    assert floor_seconds(work, LIMITS) == pytest.approx(0.0766, abs=1e-4)
    assert floor_seconds(Work("model", "train", spec, 8, 1024), LIMITS) == pytest.approx(forward + backward, rel=1e-12)
    assert floor_seconds(work, None) is None


def test_a_layer_of_another_kind_has_no_floor() -> None:
    spec = model().model_copy(update={"mixers": (parts.BiMamba(), DilatedConv())})
    assert count(Work("model", "forward", spec, 1, 8)) is None
    assert floor_seconds(Work("model", "forward", spec, 1, 8), LIMITS) is None
    assert count(Work("layer", "forward", spec, 1, 8)) is not None


def row(part: str, variant: str | None, mode: str, batch: int, length: int, median: float) -> dict[str, Any]:
    entry = {"median": median, "tokens_per_second": batch * length / median}
    shape = {"batch": batch, "length": length, "asked": length}
    return {"part": part, "variant": variant, "mode": mode, **shape, "updates": 600, "contestants": {"cpu": entry}}


def test_figures_that_come_from_several_rows() -> None:
    rows = [row("scan", None, "forward", 1, 8, 2.0), row("scan", None, "train", 1, 8, 5.0)]
    rows += [row("model", "ph", "forward", 4, 16, 4.0), row("model", "ph", "forward", 1, 64, 2.0)]
    rows += [row("model", "ps", "forward", 1, 64, 5.0), row("model", "ph", "forward", 1, 256, 1.0)]
    found = derived(rows, "cpu")
    assert found["scan_backward"] == [{"batch": 1, "length": 8, "seconds": 3.0, "updates_per_second": 200.0}]
    assert found["ps_over_ph"] == [{"mode": "forward", "batch": 1, "length": 64, "ratio": 2.5}]
    (short,) = found["short_sequences"]
    assert short == {"variant": "ph", "mode": "forward", "size": "4 x 16", "beside": "1 x 64", "share": 0.5}
    rows[3] |= {"length": 32}  # measured on shorter sequences than asked: neither share nor ratio
    assert derived(rows, "cpu")["ps_over_ph"] == []
    assert derived(rows, "cpu")["short_sequences"][0]["beside"] == "1 x 256"
