"""Several processes train as one does, whoever launches them, and stop as one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from caduceus.conformance.recipes.conftest import Recipes
from caduceus.conformance.recipes.nursery import Nursery
from caduceus.train.metrics import MetricsFile

TINY = ("-m", "caduceus.recipes", "run", "tiny", "--set", "threads=1")
LAUNCHERS: dict[str, tuple[str, ...]] = {"lightning": ()}
if settings.get_current_profile_name() == "deep":
    LAUNCHERS["torchrun"] = ("-m", "torch.distributed.run", "--nproc-per-node", "2")


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_two_processes_give_the_loss_curve_of_one(recipes: Recipes, folder: Path, launcher: str) -> None:
    assert recipes("run", "tiny", "--out", "one") == 0
    devices = ("--set", "devices=2", "--set", "strategy=ddp", "--out", "two")
    run([*LAUNCHERS[launcher], *TINY, *devices])
    assert_same_curve(curve(folder / "two"), curve(folder / "one"))


def test_two_nodes_under_slurm_stop_together_and_are_queued_again(
    recipes: Recipes, nursery: Nursery, folder: Path
) -> None:
    """The signal reaches one of them alone; both stop at that step, and the job's next run ends as an only process."""
    command = ["run", "tiny", "--set", "max_steps=20", "--set", "threads=1"]
    assert recipes(*command, "--out", "one") == 0
    command += ["--set", "num_nodes=2", "--set", "strategy=ddp", "--out", "two"]
    nodes = start_job(nursery, folder, command)
    table = MetricsFile(folder / "two" / "metrics.csv")
    nursery.until(lambda: len(table.rows()) >= 2)
    os.kill(nodes[1], signal.SIGUSR1)
    assert [nursery.wait(node) for node in nodes] == [128 + signal.SIGUSR1] * 2, said(folder)
    assert (folder / "asked").read_text() == "requeue 1234\n"
    done = len(table.rows())
    assert 2 <= done < 20
    assert not (folder / "two" / "results.json").exists()

    assert [nursery.wait(node) for node in start_job(nursery, folder, command)] == [0, 0], said(folder)
    assert f"continuing from step-{done:08d}.ckpt" in said(folder)
    assert_same_curve(curve(folder / "two"), curve(folder / "one"))


def test_a_job_of_another_shape_is_refused(recipes: Recipes, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    for name, value in slurm(0, port=1).items():
        monkeypatch.setenv(name, value)
    assert recipes("run", "tiny", "--set", "num_nodes=3", "--set", "batch.tokens=300") == 2
    assert "`num_nodes=3` in Lightning, but the number of nodes configured in SLURM" in capsys.readouterr().err
    assert not Path("runs").exists()


def curve(run: Path) -> list[dict[str, Any]]:
    return [dict(row) for row in MetricsFile(run / "metrics.csv").rows()]


def assert_same_curve(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected) >= 6
    for one, other in zip(found, expected, strict=True):
        assert [one[name] for name in ("step", "tokens", "lr", "train/targets")] == [
            other[name] for name in ("step", "tokens", "lr", "train/targets")
        ]
        for name in ("train/loss", "train/grad_norm", "valid/loss"):
            assert one[name] == (other[name] and pytest.approx(other[name], rel=1e-5))


def run(words: list[str]) -> None:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def start_job(nursery: Nursery, folder: Path, words: list[str]) -> list[int]:
    """A process on each of two nodes, as srun starts them."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {folder / "asked"}\n')
    (tools / "scontrol").chmod(0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    return [nursery.run(*words, folder=folder, environment=path | slurm(node, port)) for node in range(2)]


def said(folder: Path) -> str:
    return (folder / "log.txt").read_text()


def slurm(node: int, port: int) -> dict[str, str]:
    """What SLURM says to the process of a node of two."""
    return {
        "SLURM_JOB_ID": "1234",
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NNODES": "2",
        "SLURM_NODEID": str(node),
        "SLURM_PROCID": str(node),
        "SLURM_LOCALID": "0",
        "SLURM_NODELIST": "node[0-1]",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
