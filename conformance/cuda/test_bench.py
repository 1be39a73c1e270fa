"""The benchmark on a GPU that is none: the authors' structure beside the backend, and a whole run of the recipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import caduceus
from caduceus import parts
from caduceus.backends.cuda import CudaBackend, counts
from caduceus.bench.agree import disagreement
from caduceus.bench.authors import Authors, AuthorsBackend
from caduceus.bench.contestant import prepared
from caduceus.bench.entries import entries
from caduceus.bench.of_backend import OfBackend
from caduceus.bench.work import Work
from caduceus.conformance.cpu.examples import assert_close, random_mask
from caduceus.conformance.cuda import pretend
from caduceus.conformance.cuda.site import Site
from caduceus.conformance.cuda.watch import Launches, with_gradients
from caduceus.conformance.recipes.bench_examples import model


def mixer_on(backend: CudaBackend, **mamba: Any) -> torch.nn.Module:
    mixer = parts.BiMamba(mamba=parts.Mamba(**mamba))
    spec = parts.Model(equivariance="none", embedding=parts.Embedding(d_model=8), mixers=[mixer])
    return caduceus.build(spec, backend=backend).mixers[0]


@pytest.mark.parametrize("options", [{}, {"bias": True, "conv_bias": False, "d_conv": 3}], ids=str)
def test_the_authors_structure_is_the_same_function(backend: CudaBackend, options: dict[str, Any]) -> None:
    """From the same weights, values and all gradients, at lengths that kernels read by vectors and not."""
    ours, theirs = (mixer_on(b, **options) for b in (backend, AuthorsBackend()))
    for length in (1, 40, 128):
        x = torch.randn(2, length, 8, generator=torch.Generator().manual_seed(length))
        for mask in (None, random_mask(2, length)):
            assert_close(with_gradients(theirs, x, mask), with_gradients(ours, x, mask))


def test_what_the_structures_differ_in(backend: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in and out, and what is flipped; the same calls of the packages' functions."""
    x, found = torch.randn(1, 128, 8), []
    for of in (backend, AuthorsBackend()):
        with monkeypatch.context() as patch, Launches(patch) as launches, torch.no_grad():
            mixer_on(of)(x)
        products = [n for (name, shapes), n in launches.calls.items() if name == "mm" and shapes[0] == (32, 8)]
        out = [n for (name, shapes), n in launches.calls.items() if name == "mm" and shapes[1] == (16, 8)]
        flipped = {shapes[0]: n for (name, shapes), n in launches.calls.items() if name == "flip"}
        kernels = launches.count("scan_fwd"), launches.count("conv_fwd"), launches.count("mm")
        found.append((products, out, flipped, kernels))
    assert found == [([1], [1], {(1, 16, 128): 3}, (2, 2, 6)), ([2], [2], {(1, 128, 8): 2}, (2, 2, 8))]


def test_a_model_in_the_authors_structure_agrees(backend: CudaBackend) -> None:
    contestants = [OfBackend("cuda", "", backend), OfBackend("authors", "", AuthorsBackend())]
    for part, equivariance in (("layer", "ph"), ("model", "ph"), ("model", "ps")):
        errors = disagreement(contestants, Work(part, "forward", model(equivariance), 2, 20), "cpu")  # type: ignore[arg-type]
        assert 0 < errors["authors"] < 1e-5


def test_where_the_structures_are_the_same_it_is_not_timed() -> None:
    lacks = Authors().lacks
    assert "differs in layers of two directions" in str(lacks(Work("layer", "train", one_layer(parts.Mamba()), 1, 8)))
    untied = parts.BiMamba(tie="none")
    assert "differs in layers of two directions" in str(lacks(Work("model", "train", one_layer(untied), 1, 8)))
    assert lacks(Work("scan", "forward", model(), 1, 8)) == "its scan is that of backend cuda"


def one_layer(mixer: Any) -> parts.Model:
    return parts.Model(equivariance="ph", embedding=parts.Embedding(d_model=8), mixers=[mixer], head=parts.MaskedLM())


def test_bytes_that_are_moved() -> None:
    """Of the paper's layer by hand: 16,064 elements forward; a ps model reads two strands, and has two layers here."""
    spec = model("ps", d_model=256)
    ours, theirs = OfBackend("cuda", "", "cuda", counts.fused), Authors()
    assert ours.moves(Work("layer", "forward", spec, 2, 100)) == 200 * 16_064 * 4
    assert theirs.moves(Work("layer", "forward", spec, 2, 100, "bf16-mixed")) == 200 * 15_296 * 2
    assert ours.moves(Work("model", "forward", spec, 1, 100, "bf16-mixed")) == 100 * 2 * 2 * 16_064 * 2
    step = counts.total(counts.fused(counts.Layer(256, 512, 16, 16)), train=True).moved
    assert ours.moves(Work("layer", "train", spec, 1, 100, "bf16-mixed")) == 100 * step * 2
    assert ours.moves(Work("scan", "forward", spec, 1, 100)) is None
    assert ours.moves(Work("layer", "forward", one_layer(parts.BiMamba(fusion="multiply")), 1, 100)) is None
    assert OfBackend("torch", "", "torch").moves(Work("layer", "forward", spec, 2, 100)) is None


def test_mixed_precision_is_autocast(backend: CudaBackend, calls: Any) -> None:
    """Activations in bfloat16, parameters in float32, in a layer, a model and a scan alone."""
    for part in ("scan", "layer", "model"):
        for mode in ("forward", "train"):
            calls["scan_fwd"].clear()
            work = Work(part, mode, model("none"), 1, 16, "bf16-mixed")  # type: ignore[arg-type]
            prepared(OfBackend("cuda", "", backend), work, "cpu")()
            u, delta, A, *_ = calls["scan_fwd"][0]
            assert (u.dtype, delta.dtype, A.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)
    assert OfBackend("reference", "", "reference").lacks(work) == (
        "it computes in float64, and precision is bf16-mixed"
    )


TINY = {
    "task": "bench",
    "size": "quick",
    "device": "cuda",
    "peers": ["authors"],
    "model": {
        "embedding": {"kind": "embedding", "d_model": 8},
        "mixers": [{"kind": "bimamba", "mamba": {"d_state": 2, "expand": 1}}],
        "head": {"kind": "masked_lm"},
    },
    "scan": None,
    "layer": [{"batch": 1, "length": 16}],
    "models": [{"batch": 2, "length": 8}],
    "longest": {"batch": 1, "length": 64},
    "variants": ["ps"],
    "timing": {"rounds": 1, "turn_seconds": 0.0, "call_seconds": 60.0},
    "limits": {"seconds": 0.01, "memory_mb": 1},
    "threads": 1,
}


def test_a_run_on_a_gpu(tmp_path: Path) -> None:
    """From `device: cuda` alone to the table, in processes that find the packages and take the CPU for a GPU."""
    site = Site(tmp_path / "site")
    site.install("mamba-ssm")
    site.install("causal-conv1d")
    site.write("sitecustomize.py", "from caduceus.conformance.cuda import pretend\n\npretend.a_gpu()\n")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    path = [str(site.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "caduceus.recipes", "run", "tiny.yaml", "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (results["subject"], list(results["contestants"])) == ("cuda", ["cuda", "authors"])
    assert results["card"]["name"] == pretend.NAME
    assert results["card"]["copy"] > 0
    assert 0 < results["disagreement"]["layer"]["authors"] < 1e-5
    rows = results["rows"]
    assert {(row["part"], row["mode"], row["length"], bool(row["longest_of"])) for row in rows} == {
        (part, mode, length, longest)
        for part, lengths in (("layer", (16, 64)), ("model", (8, 64)))
        for mode in ("forward", "train")
        for length, longest in zip(lengths, (False, True), strict=True)
    }
    for row in rows:
        assert row["precision"] == "bf16-mixed"
        found = row["contestants"]
        assert list(found) == ["cuda", "authors"]
        for name in ("cuda", "authors"):
            assert found[name]["bytes_per_second"] == pytest.approx(found[name]["moved_bytes"] / found[name]["median"])
    versions = json.loads((tmp_path / "out" / "environment.json").read_text())["versions"]
    assert (versions["mamba-ssm"], versions["causal-conv1d"], versions["CUDA"]) == ("2.3.2.post1", "1.7.0", "12.8")
    for shown in (f"card {pretend.NAME}: copies ", "(the longest that fits cuda and authors)", "bandwidth"):
        assert shown in done.stdout
    assert "were not measured" not in (tmp_path / "out" / "report.html").read_text()


def test_without_the_packages_the_structure_cannot_be_had(site: Site, gpu: None) -> None:
    with pytest.raises(caduceus.backends.registry.BackendUnavailable, match="mamba-ssm is not installed"):
        entries("torch", ["authors"], "cuda")
