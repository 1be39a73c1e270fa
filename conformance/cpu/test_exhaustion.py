"""Memory that a kernel cannot get is an error with its name, and everything goes on after it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from caduceus.backends.cpu import CpuBackend
from caduceus.conformance.cpu.examples import assert_same, results
from caduceus.conformance.cpu.excess import refusals
from caduceus.conformance.cpu.mamba import Size, mamba_arguments


@pytest.mark.parametrize("count", [1, 3])
def test_memory_that_cannot_be_had_is_said(backend: CpuBackend, threads: int, count: int) -> None:
    """Whether or not threads run at the time; those go on after it."""
    arguments = mamba_arguments(Size(2, 400, 8, 64, 16))
    expected = results(backend, "mamba", arguments)
    assert all(refusals(backend, count))
    assert_same(results(backend, "mamba", arguments), expected)


LIMITED = """
import resource
from ctypes import byref
from pathlib import Path

import torch
from caduceus.backends.cpu import CpuBackend, library
from caduceus.conformance.cpu.mamba import Size, mamba, mamba_arguments

backend, MIB = CpuBackend(), 1 << 20


def limited(more, call):
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + more, before[1]))
    try:
        call()
        return "done"
    except RuntimeError as error:
        return str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def norms(threads, parts=2, channels=1 << 22):
    x, weight, dnormed = torch.ones(parts, channels), torch.ones(channels), torch.randn(parts, channels)
    dx, dweight = torch.empty_like(x), torch.empty_like(x)
    norm = library.Norm(threads=threads, rows=parts, channels=channels, x=x.data_ptr(), weight=weight.data_ptr())
    call = library.NormGradients(norm, parts=parts, dnormed=dnormed.data_ptr(), dx=dx.data_ptr())
    call.dweight = dweight.data_ptr()
    print(limited(100 * MIB, lambda: library.library().caduceus_norm_backward(backend.isa.number, byref(call))))
    print(torch.equal(dweight, dnormed))


# Two threads, which have started; memory for what one of them needs.
torch.set_num_threads(2)
mamba(backend, **mamba_arguments(Size(2, 1000, 4, 64)))
norms(2)

torch.set_num_threads(1)
arguments = mamba_arguments(Size(1, 40_000, 4, 512, 2, walks=(False,)))
h = arguments.pop("h").requires_grad_()
out = mamba(backend, h=h, **arguments)
backward = lambda: torch.autograd.grad(out.sum(), h, retain_graph=True)
print(limited(64 * MIB, backward))
with torch.no_grad():
    print(limited(64 * MIB, lambda: mamba(backend, h=h, **arguments)))
    print(torch.equal(mamba(backend, h=h, **arguments), out))
print(bool(backward()[0].any()))
"""


def test_a_process_that_may_not_grow(fastest: CpuBackend) -> None:
    """A thread that finds no memory leaves its work to the others; where all do, the call fails, and a later one with
    more memory does not."""
    if not sys.platform.startswith("linux"):
        pytest.skip("not run: memory is limited as Linux does it")
    ran = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    norm, same, backward, forward, equal, again = ran.stdout.splitlines()
    assert (norm, same, equal, again) == ("done", "True", "True", "True")
    assert backward.startswith("backend 'cpu' can't allocate memory: mamba_backward needs ")
    assert forward.startswith("backend 'cpu' can't allocate memory: mamba_forward needs ")
