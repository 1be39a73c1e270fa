"""How to install mamba-ssm and causal-conv1d beside a given torch, CUDA and Python.

Neither has wheels on PyPI: `pip install` builds them, by default in an environment of its own against another torch.
Their setup.py first looks for a wheel among the files of the release on GitHub, and compiles if there is none.
"""

from __future__ import annotations

import platform
import re
import sys
from typing import NamedTuple

NO_PLATFORM = "mamba-ssm and causal-conv1d are for NVIDIA GPUs under Linux; elsewhere use backend='torch' or 'cpu'"
_RELEASES = {
    "causal_conv1d": "https://github.com/Dao-AILab/causal-conv1d/releases/download",
    "mamba_ssm": "https://github.com/state-spaces/mamba/releases/download",
}


class Machine(NamedTuple):
    """What the packages must match. ``cuda``: None for a torch without CUDA; ``abi``: whether torch has C++11's."""

    torch: str
    cuda: str | None
    python: tuple[int, int]
    abi: bool
    system: str
    processor: str


def this_machine() -> Machine:
    """Of the running interpreter."""
    import torch

    return Machine(
        torch=torch.__version__,
        cuda=torch.version.cuda,
        python=sys.version_info[:2],
        abi=bool(torch.compiled_with_cxx11_abi()),
        system=platform.system(),
        processor=platform.machine(),
    )


def releases(torch: str) -> dict[str, str]:
    """The newest versions that go with a version of torch: mamba-ssm 2.3.2 asks for triton 3.5, so for torch 2.9.

    >>> releases("2.8.0+cu128")["mamba_ssm"]
    '2.2.6.post3'
    """
    if _numbers(torch) >= (2, 9):
        return {"causal_conv1d": "1.7.0", "mamba_ssm": "2.3.2.post1"}
    return {"causal_conv1d": "1.5.3.post1", "mamba_ssm": "2.2.6.post3"}


def wheels(machine: Machine) -> list[str]:
    """Where a prebuilt wheel for this machine would be; not every combination has one."""
    major, minor = _numbers(machine.torch)
    python = "cp{}{}".format(*machine.python)
    built_for = f"cu{(machine.cuda or '').partition('.')[0]}torch{major}.{minor}cxx11abi{str(machine.abi).upper()}"
    tags = f"{python}-{python}-linux_{machine.processor}"
    return [
        f"{_RELEASES[name]}/v{version}/{name}-{version}+{built_for}-{tags}.whl"
        for name, version in releases(machine.torch).items()
    ]


def commands(machine: Machine, installed: bool = False) -> list[str]:
    """What to type; ``installed``: at least one of the packages is there, and pip would leave it as it is."""
    if machine.system != "Linux":
        return [f"# {NO_PLATFORM}"]
    public = machine.torch.partition("+")[0]
    lines = []
    if machine.cuda is None:
        lines += [
            "# a torch that is built for CUDA, as PyPI's own wheels for Linux are (leave out constraints/cpu.txt)",
            f'pip uninstall -y torch && pip install "torch=={public}"',
        ]
    if installed:
        lines.append("pip uninstall -y causal-conv1d mamba-ssm")
    pins = " ".join(f'"{name.replace("_", "-")}=={version}"' for name, version in releases(machine.torch).items())
    kept = f'"torch=={machine.torch if machine.cuda else public}"'
    lines += [
        "pip install setuptools wheel packaging ninja",
        f"MAMBA_KEEP_CUDA_BUILD=TRUE pip install --no-build-isolation --no-cache-dir {kept} {pins}",
    ]
    return lines + _explained(machine)


def _explained(machine: Machine) -> list[str]:
    if machine.cuda is None:
        return ["# this compiles with nvcc of the CUDA that torch.version.cuda then names, unless a wheel is found"]
    major = machine.cuda.partition(".")[0]
    return [f"# this compiles with nvcc of CUDA {major}, unless these wheels are found:"] + [
        f"#   {url}" for url in wheels(machine)
    ]


def _numbers(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    assert found is not None, version
    return int(found[1]), int(found[2])
