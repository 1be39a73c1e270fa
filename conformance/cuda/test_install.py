"""The commands that are printed: for this torch, this CUDA, this Python."""

from __future__ import annotations

import platform
import sys

import pytest
import torch

from caduceus.backends.cuda.install import Machine, commands, this_machine, wheels

LINUX = Machine("2.9.1+cu128", "12.8", (3, 11), True, "Linux", "x86_64")


RELEASES = "https://github.com/{}/releases/download"
CONV_WHEEL = "v1.7.0/causal_conv1d-1.7.0+cu12torch2.9cxx11abiTRUE-cp311-cp311-linux_x86_64.whl"
MAMBA_WHEEL = "v2.3.2.post1/mamba_ssm-2.3.2.post1+cu12torch2.9cxx11abiTRUE-cp311-cp311-linux_x86_64.whl"


def test_for_a_torch_with_cuda() -> None:
    pip = "MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation --no-cache-dir"
    assert commands(LINUX) == [
        "pip install setuptools wheel packaging ninja",
        f'{pip} "torch==2.9.1+cu128" "causal-conv1d==1.7.0" "mamba-ssm==2.3.2.post1"',
        "# this compiles with nvcc of CUDA 12, unless these wheels are found:",
        f"#   {RELEASES.format('Dao-AILab/causal-conv1d')}/{CONV_WHEEL}",
        f"#   {RELEASES.format('state-spaces/mamba')}/{MAMBA_WHEEL}",
    ]


def test_for_an_older_torch() -> None:
    """mamba-ssm 2.3.2 asks for a triton that comes with torch 2.9."""
    older = LINUX._replace(torch="2.4.1", cuda="11.8", python=(3, 10), abi=False)
    assert '"torch==2.4.1" "causal-conv1d==1.5.3.post1" "mamba-ssm==2.2.6.post3"' in commands(older)[1]
    assert wheels(older)[1].endswith("/mamba_ssm-2.2.6.post3+cu11torch2.4cxx11abiFALSE-cp310-cp310-linux_x86_64.whl")


def test_what_is_installed_is_removed_first() -> None:
    """pip would leave it, and its cache would bring it back."""
    lines = commands(LINUX, installed=True)
    assert lines[0] == "pip uninstall -y causal-conv1d mamba-ssm"
    assert lines[1:] == commands(LINUX)
    assert "--no-cache-dir" in lines[2]


def test_a_torch_without_cuda_goes_first() -> None:
    lines = commands(LINUX._replace(torch="2.13.0+cpu", cuda=None))
    assert lines[1] == 'pip uninstall -y torch && pip install "torch==2.13.0"'
    assert not any("https" in line for line in lines), "which wheels would fit is not known yet"


def test_there_is_nothing_to_install_elsewhere() -> None:
    (said,) = commands(LINUX._replace(system="Darwin", processor="arm64", cuda=None))
    assert "elsewhere use backend='torch' or 'cpu'" in said


def test_this_machine() -> None:
    found = this_machine()
    assert found.torch == torch.__version__
    assert found.python == sys.version_info[:2]
    assert (found.system, found.processor) == (platform.system(), platform.machine())


def test_the_extra_asks_for_what_the_commands_install() -> None:
    from importlib.metadata import requires

    asked = [line for line in requires("caduceus") or () if 'extra == "cuda"' in line.replace("'", '"')]
    assert sorted(line.partition(";")[0].strip() for line in asked) == ["causal-conv1d>=1.7", "mamba-ssm>=2.3.2.post1"]


@pytest.mark.parametrize("version", ["2.13.0", "2.9.0a0+git1", "3.0.1"])
def test_newer_torches_get_the_newest(version: str) -> None:
    assert '"mamba-ssm==2.3.2.post1"' in commands(LINUX._replace(torch=version))[1]
