"""Every way in which an installation is broken: what is said, by name, and what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.backends import registry
from caduceus.backends.cuda import CudaBackend, probe
from caduceus.backends.registry import BackendUnavailable
from caduceus.conformance.cpu.examples import scan_arguments
from caduceus.conformance.cuda import pretend
from caduceus.conformance.cuda.site import Site
from caduceus.recipes.__main__ import main

FRESH = 'pip install --no-build-isolation --no-cache-dir "torch=={}" "causal-conv1d==1.7.0" "mamba-ssm==2.3.2.post1"'
AGAIN = "pip uninstall -y causal-conv1d mamba-ssm"
UNDEFINED = "undefined symbol: _ZN3c104cuda9SetDeviceEi"


@pytest.fixture(autouse=True)
def _undecided() -> Iterator[None]:
    """`auto` decides anew before and after."""
    registry._fastest.cache_clear()
    yield
    registry._fastest.cache_clear()


def refusal() -> str:
    """What `backend="cuda"` says here; the registry lists the same."""
    with pytest.raises(BackendUnavailable, match="backend 'cuda' cannot run here: ") as caught:
        caduceus.get_backend("cuda")
    (listed,) = (info for info in caduceus.available_backends() if info.name == "cuda")
    assert not listed.available
    assert listed.reason in str(caught.value)
    assert "\n" not in listed.reason
    return str(caught.value)


def problems() -> list[str]:
    return [check.what for check in probe.checks() if not check.good]


def both(site: Site, **extensions: str | None) -> None:
    """Both packages; by name, an extension that does not work or None."""
    site.install("mamba-ssm", extension=extensions.get("mamba", ""))
    site.install("causal-conv1d", extension=extensions.get("conv", ""))


def test_nothing_is_wrong(site: Site, gpu: None) -> None:
    both(site)
    assert isinstance(caduceus.get_backend("cuda"), CudaBackend)
    (listed,) = (info for info in caduceus.available_backends() if info.name == "cuda")
    expected = (
        "mamba-ssm 2.3.2.post1, causal-conv1d 1.7.0, Triton norm; float32, bfloat16 and float16, differentiable once"
    )
    assert listed == ("cuda", True, expected)
    assert (problems(), probe.instructions()) == ([], "")


def test_no_cuda_in_torch(site: Site) -> None:
    """A CPU build of torch, such as the tests run on, beside packages that would work."""
    both(site)
    said = refusal()
    assert f"torch {torch.__version__} is built without CUDA" in said
    public = torch.__version__.partition("+")[0]
    assert f'pip uninstall -y torch && pip install "torch=={public}"' in said
    assert FRESH.format(public) in said
    assert AGAIN in said
    assert problems()[0] == "CUDA torch"


def test_cuda_in_torch_and_no_gpu(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    both(site)
    pretend.torch_with_cuda(monkeypatch.setattr)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    said = refusal()
    assert "CUDA 12.8, finds no GPU: nvidia-smi must list one" in said
    assert "pip" not in said, "no package is to blame"


@pytest.mark.parametrize("mamba", ["1.2.0.post1", "2.3.2.post1"])
def test_packages_without_their_kernels(site: Site, gpu: None, mamba: str) -> None:
    site.install("mamba-ssm", mamba, extension=None)
    site.install("causal-conv1d", extension=None)
    said = refusal()
    assert f"mamba-ssm {mamba} is installed without its compiled kernel selective_scan_cuda" in said
    assert "causal-conv1d 1.7.0 is installed without its compiled kernel causal_conv1d_cuda" in said
    assert "without MAMBA_KEEP_CUDA_BUILD=TRUE" in said
    assert AGAIN in said
    assert f"MAMBA_KEEP_CUDA_BUILD=TRUE {FRESH.format(torch.__version__)}" in said
    assert problems() == ["selective_scan_cuda", "causal_conv1d_cuda"]


def test_a_package_that_imports_without_its_kernel(site: Site, gpu: None) -> None:
    """As after 2.3.2.post1, where calls fail instead; that it imports is no proof."""
    site.install("causal-conv1d")
    site.install("mamba-ssm", "2.4.0", extension=None)
    site.write(
        "mamba_ssm/ops/selective_scan_interface.py", "def selective_scan_fn(*args, **kw):\n    raise RuntimeError\n"
    )
    assert "mamba-ssm 2.4.0 is installed without its compiled kernel selective_scan_cuda" in refusal()


@pytest.mark.parametrize("name", ["mamba", "conv"])
def test_kernels_compiled_for_another_torch(site: Site, gpu: None, name: str) -> None:
    extension = {"mamba": "selective_scan_cuda", "conv": "causal_conv1d_cuda"}[name]
    both(site, **{name: f"raise ImportError('{extension}.cpython-311-x86_64-linux-gnu.so: {UNDEFINED}')\n"})
    said = refusal()
    assert f"{extension} cannot be loaded ({extension}.cpython-311-x86_64-linux-gnu.so: {UNDEFINED})" in said
    assert f"it was compiled for others than the torch {torch.__version__}, CUDA 12.8 and Python 3." in said
    assert AGAIN in said
    assert problems() == [extension]


def test_a_kernel_that_is_no_library(site: Site, gpu: None) -> None:
    """By the loader itself: half a download, or another machine's."""
    both(site, mamba=None)
    site.write("selective_scan_cuda.abi3.so", "not what a linker makes")
    assert "selective_scan_cuda cannot be loaded (" in refusal()


def test_mamba_ssm_missing(site: Site, gpu: None) -> None:
    site.install("causal-conv1d")
    said = refusal()
    assert "cannot run here: mamba-ssm is not installed (" in said
    assert FRESH.format(torch.__version__) in said
    assert problems() == ["mamba-ssm", "selective_scan_cuda"]


def test_causal_conv1d_missing(site: Site, gpu: None) -> None:
    site.install("mamba-ssm")
    assert "cannot run here: causal-conv1d is not installed (" in refusal()
    assert problems() == ["causal-conv1d", "causal_conv1d_cuda"]


def test_a_version_that_moved_its_functions(site: Site, gpu: None) -> None:
    both(site)
    site.distribution("causal-conv1d", "2.0.0")
    site.write("causal_conv1d-1.7.0.dist-info/METADATA", "")
    site.write("causal_conv1d/__init__.py", "")
    site.write("causal_conv1d/causal_conv1d_interface.py", "def convolve():\n    pass\n")
    said = refusal()
    assert "has no causal_conv1d:causal_conv1d_fn or causal_conv1d.causal_conv1d_interface:causal_conv1d_fn" in said
    assert "versions 1.0.0 to 1.7.0 have it: install one of those" in said


def test_a_package_that_cannot_be_imported(site: Site, gpu: None) -> None:
    """For a reason of its own, such as a name that transformers dropped."""
    both(site)
    site.write("mamba_ssm/__init__.py", "from math import GreedySearchDecoderOnlyOutput\n")
    said = refusal()
    assert "mamba-ssm 2.3.2.post1 cannot be imported (ImportError: cannot import name 'GreedySearch" in said


def model(**options: object) -> torch.nn.Module:
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[parts.BiMamba()], head=parts.MaskedLM())
    return caduceus.build(spec, backend="cuda", **options)


def test_a_tensor_on_the_cpu(make: Callable[..., CudaBackend], monkeypatch: pytest.MonkeyPatch) -> None:
    backend = make()
    monkeypatch.undo()  # from here the CPU is the CPU
    expected = (
        "backend 'cuda' computes on a GPU, and u is on the cpu; build the model with device='cuda'.*backend='torch'"
    )
    with pytest.raises(ValueError, match=expected):
        backend.selective_scan(**scan_arguments(1, 2, 3, 4))


def test_tensors_on_two_devices(backend: CudaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = scan_arguments(1, 2, 3, 4)
    monkeypatch.setattr("caduceus.backends.cuda.tensors.DEVICE", "meta")
    arguments["u"] = arguments["u"].to("meta")
    with pytest.raises(ValueError, match="backend 'cuda' computes on a GPU, and dt is on the cpu"):
        backend.selective_scan(**arguments)


def test_an_unsupported_dtype(backend: CudaBackend) -> None:
    with pytest.raises(ValueError, match=r"cuda computes in float32, bfloat16, float16, not in torch\.float64"):
        model(dtype="float64")
    expected = "backend 'cuda' computes in float32, bfloat16, float16, and u is torch.float64; use backend='torch'"
    with pytest.raises(ValueError, match=expected):
        backend.selective_scan(**scan_arguments(1, 2, 3, 4, dtype=torch.float64))


def test_auto_takes_it_on_a_gpu_and_says_so(site: Site, gpu: None, caplog: pytest.LogCaptureFixture) -> None:
    both(site)
    with caplog.at_level(logging.INFO, "caduceus"):
        for dtype in ("float32", "bfloat16", "float32"):
            assert caduceus.get_backend("auto", device="cuda", dtype=dtype).name == "cuda"
        assert caduceus.get_backend("auto", device="cuda", dtype="float64").name == "torch"
    assert [record.getMessage() for record in caplog.records] == ["backend auto: cuda"] * 2 + ["backend auto: torch"]


def test_auto_without_it_is_torch_and_says_once_what_is_missing(
    site: Site, gpu: None, caplog: pytest.LogCaptureFixture
) -> None:
    site.install("mamba-ssm")
    with caplog.at_level(logging.WARNING, "caduceus"):
        assert [caduceus.get_backend("auto", device="cuda").name for _ in range(2)] == ["torch", "torch"]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith(
        "backend auto: torch, the portable one, since cuda cannot run here: causal-conv1d is not inst"
    )
    assert "python -m caduceus.recipes doctor shows what to install" in said


def test_the_doctor_shows_a_table(site: Site, gpu: None, capsys: pytest.CaptureFixture[str]) -> None:
    site.install("mamba-ssm", extension=None)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    for line in (
        f"cuda       CUDA torch           yes  torch {torch.__version__}, CUDA 12.8, {pretend.NAME}",
        "           mamba-ssm            yes  2.3.2.post1",
        "           selective_scan_cuda  no   mamba-ssm 2.3.2.post1 is installed without its compiled kernel",
        "           causal-conv1d        no   causal-conv1d is not installed",
        "           causal_conv1d_cuda   no   absent; it comes with causal-conv1d",
        f"           {AGAIN}",
    ):
        assert line in said
