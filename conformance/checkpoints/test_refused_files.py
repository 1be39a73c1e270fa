"""Files that are cut short, hold something else, are missing or stand beside a stranger are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

import caduceus
from caduceus import parts
from caduceus.conformance.checkpoints.folders import small_lm, stored, write_official, written


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("keep", [0, 7, 200, -5])
def test_cut_short(pickled: bool, keep: int, tmp_path: Path) -> None:
    config, tensors = stored(written(tmp_path / "whole", small_lm()))
    folder = write_official(tmp_path / "cut", config, tensors, pickled=pickled)
    path = folder / ("pytorch_model.bin" if pickled else "model.safetensors")
    path.write_bytes(path.read_bytes()[:keep])
    size = path.stat().st_size
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} \({size} bytes\) cannot be read as"):
        caduceus.load_pretrained(folder)


class Bomb:
    """Unpickling it would run code."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('code ran')",)


@pytest.mark.parametrize("content", [Bomb(), {"weight": Bomb()}, torch.zeros(2), {"epoch": 1}])
def test_pickles_of_anything_else(content: Any, tmp_path: Path) -> None:
    config, _ = stored(written(tmp_path / "whole", small_lm()))
    folder = write_official(tmp_path / "pickled", config, {}, pickled=True)
    torch.save(content, folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin .*state dict"):
        caduceus.load_pretrained(folder)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent is no folder; expected one with spec\.yaml or config\.json"):
        caduceus.load_pretrained(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"has no model: looked for spec\.yaml and config\.json"):
        caduceus.load_pretrained(tmp_path)
    folder = written(tmp_path / "whole", small_lm())
    with pytest.raises(FileNotFoundError, match="is no folder"):
        caduceus.load_pretrained(folder / "config.json")
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"no weights: looked for model\.safetensors and pytorch_model\.bin"):
        caduceus.load_pretrained(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is not JSON"):
        caduceus.load_pretrained(folder)


def test_own_layout_is_strict_too(tmp_path: Path) -> None:
    model = caduceus.build(small_lm())
    caduceus.save_pretrained(model, tmp_path)
    (tmp_path / "spec.yaml").write_text(small_lm(layers=3).to_yaml())
    with pytest.raises(ValueError, match=r"missing .*norms\.2\.weight.* unknown \[\]"):
        caduceus.load_pretrained(tmp_path)
    (tmp_path / "spec.yaml").write_text(parts.BiMamba().to_yaml())
    with pytest.raises(ValueError, match=r"spec\.yaml holds a bimamba, expected a model"):
        caduceus.load_pretrained(tmp_path)
    with torch.no_grad():
        model.embedding.weight[2, 2] = torch.nan
    caduceus.save_pretrained(model, tmp_path)
    with pytest.raises(ValueError, match=r"NaN or infinity in embedding\.weight"):
        caduceus.load_pretrained(tmp_path)


def test_one_layout_in_a_folder(tmp_path: Path) -> None:
    model = caduceus.build(small_lm())
    caduceus.save_pretrained(model, tmp_path)
    with pytest.raises(FileExistsError, match=r"holds spec\.yaml, a model in another layout"):
        caduceus.save_pretrained(model, tmp_path, layout="official")
    assert caduceus.load_pretrained(tmp_path).spec == model.spec
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"has both spec\.yaml and config\.json"):
        caduceus.load_pretrained(tmp_path)
    with pytest.raises(ValueError, match="layout is 'hf', expected 'caduceus' or 'official'"):
        caduceus.save_pretrained(model, tmp_path, layout="hf")  # type: ignore[arg-type]
