"""A site that is on the path for one test, and whose modules are forgotten after it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from caduceus.backends.cuda import CudaBackend, probe, tensors
from caduceus.conformance.cuda import pretend, stand_ins
from caduceus.conformance.cuda.site import Site
from caduceus.conformance.cuda.stand_ins import Calls

MODULES = ("mamba_ssm", "selective_scan_cuda", "causal_conv1d", "causal_conv1d_cuda")


def forget() -> None:
    """What was imported from a site."""
    for name in list(sys.modules):
        if name.partition(".")[0] in MODULES:
            del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Empty; no other copy of either package is seen, and torch has no CUDA, whatever this machine has."""
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in MODULES}
    forget()
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(probe, "find_spec", lambda name: PathFinder.find_spec(name, [str(folder)]))
    monkeypatch.setattr(torch.version, "cuda", None)
    yield Site(folder)
    forget()
    sys.modules.update(kept)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend.a_gpu(monkeypatch.setattr)


@pytest.fixture
def make(site: Site, gpu: None) -> Callable[..., CudaBackend]:
    """``make(mamba version, causal-conv1d version)``: the backend on packages of those versions, or the newest."""

    def backend(mamba: str | None = None, conv: str | None = None) -> CudaBackend:
        site.install("mamba-ssm", mamba)
        site.install("causal-conv1d", conv)
        return CudaBackend()

    return backend


@pytest.fixture
def backend(make: Callable[..., CudaBackend]) -> CudaBackend:
    return make()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The tensors of every call of a stand-in, by its name."""
    found: Calls = {}
    for name in ("scan_fwd", "scan_bwd", "conv_fwd", "conv_bwd", "norm"):
        monkeypatch.setattr(stand_ins, name, _noting(found.setdefault(name, []), getattr(stand_ins, name)))
    return found


def _noting(into: list[tuple[Tensor, ...]], function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        into.append(tuple(x for x in arguments if isinstance(x, Tensor)))
        return function(*arguments)

    return call


@pytest.fixture(autouse=True)
def _no_leftovers() -> Iterator[None]:
    """A test that changes what counts as a GPU leaves it as it was."""
    yield
    assert stand_ins.DEVICE == tensors.DEVICE == "cuda"
