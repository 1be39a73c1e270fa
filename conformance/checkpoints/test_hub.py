""" "owner/name" is a repository where it is no folder, downloaded by a client that comes with an extra."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import caduceus
from caduceus.conformance.checkpoints.folders import identical, small_lm, written


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The calls that a stand-in for the client received; it answers with an official folder."""
    snapshot = written(tmp_path / "snapshot", small_lm())
    calls: list[dict[str, Any]] = []

    def snapshot_download(repo_id: str, **options: Any) -> str:
        calls.append({"repo_id": repo_id, **options})
        return str(snapshot)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    monkeypatch.chdir(tmp_path)
    return calls


def test_repository(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    model = caduceus.load_pretrained("some-lab/caduceus-ps_131k.v1", revision="abc123")
    assert [(call["repo_id"], call["revision"]) for call in asked] == [("some-lab/caduceus-ps_131k.v1", "abc123")]
    patterns = asked[0]["allow_patterns"]
    assert {"config.json", "model.safetensors"} <= set(patterns)
    assert not any(pattern.endswith(".py") or "*" in pattern for pattern in patterns)
    assert identical(model.weights(), caduceus.load_pretrained(tmp_path / "snapshot").weights())


def test_folder_comes_first(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    written(tmp_path / "runs" / "mine", small_lm(layers=3))
    assert len(caduceus.load_pretrained("runs/mine").spec.mixers) == 3
    with pytest.raises(ValueError, match="revision is 'main', but runs/mine is a folder here"):
        caduceus.load_pretrained("runs/mine", revision="main")
    assert asked == []


@pytest.mark.parametrize("name", ["mine", "runs/mine/model", "./mine", "/runs/mine", "some lab/name"])
def test_other_paths_are_no_repositories(name: str, asked: list[dict[str, Any]]) -> None:
    with pytest.raises(FileNotFoundError, match="is no folder; expected one with"):
        caduceus.load_pretrained(name)
    assert asked == []


def test_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    class HttpError(Exception):
        """As httpx raises it: no OSError."""

    def snapshot_download(repo_id: str, **options: Any) -> str:
        raise HttpError("[Errno -2] Name or service not known")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    with pytest.raises(FileNotFoundError, match=r"some-lab/caduceus did not come from .*: HttpError: \[Errno -2\]"):
        caduceus.load_pretrained("some-lab/caduceus")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "huggingface_hub", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'caduceus\[hub\]'"):
        caduceus.load_pretrained("some-lab/caduceus")
