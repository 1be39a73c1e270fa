"""The suite itself on the CUDA backend, in another process whose packages are the stand-ins."""

from __future__ import annotations

import re
from pathlib import Path

from caduceus.conformance.as_strangers import run_suite
from caduceus.conformance.cuda.site import Site

SELECTION = (
    "test_contract_kernels or test_backend_scan or test_backend_conv",
    "masked_lm and (test_gradients_by_each_weight or test_padding_changes_nothing or test_mixer_does_not_see)",
    "test_mixer or test_models_of_the_paper",
    "checkpoints and test_values and (ps_fused_n3 or ps_fused_unidirectional or ew_multiply or layernorm or _n1)",
)
"""Every law of the three kernels, some of models, and golden vectors of every kind; `.ci/full` runs all there is."""
HELD = (
    "scan: values of the reference",
    "scan: gradients of the reference",
    "convolution: gradients of the reference",
    "norm: gradients of the reference",
    "models: gradients of the reference",
    "masks: padding changes nothing",
    "equivariance: at every length",
    "golden: logits, features and loss",
    "golden: gradients of the loss, of the largest entry",
)


def test_conformance(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.install("mamba-ssm")
    site.install("causal-conv1d")
    chosen = " or ".join(f"({part})" for part in SELECTION)
    done = run_suite(tmp_path, "-p", "caduceus.conformance.cuda.pretend", "--backend", "cuda", "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in HELD:
        assert re.search(rf"largest error: {name}.*cuda float32", done.stdout), name
    assert "equivariance: at every length: 0 (cuda float32, at most 0)" in done.stdout
    assert "backend not tested: cuda" not in done.stdout
