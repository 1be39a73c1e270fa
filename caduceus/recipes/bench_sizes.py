"""What the sizes of a benchmark stand for."""

from __future__ import annotations

from typing import Any

SIZES: dict[str, dict[str, Any]] = {
    "full": {
        "peers": ["torch", "transformers", "mamba_loop", "loop"],
        "model": "caduceus-ph-1k-d256",
        "scan": {"batch": 1, "length": 8_192},
        "layer": {"batch": 8, "length": 1_024},
        "models": [
            {"batch": 64, "length": 512},
            {"batch": 8, "length": 1_024},
            {"batch": 1, "length": 32_768},
            {"batch": 1, "length": 131_072},
        ],
    },
    "quick": {
        "peers": ["torch", "loop"],
        "model": "caduceus-ph-1k-d128",
        "scan": {"batch": 1, "length": 1_024},
        "layer": {"batch": 1, "length": 512},
        "models": [{"batch": 4, "length": 64}, {"batch": 1, "length": 256}],
        "timing": {"rounds": 3, "turn_seconds": 0.05, "call_seconds": 1.0, "memory_gb": 2.0},
        "limits": {"seconds": 0.1, "memory_mb": 64},
    },
}
"""By ``size``: fields that are not given."""

ON_CUDA: dict[str, dict[str, Any]] = {
    "full": {
        "peers": ["authors", "torch"],
        "layer": [{"batch": 8, "length": 1_024}, {"batch": 1, "length": 32_768}, {"batch": 1, "length": 131_072}],
        "models": [{"batch": 8, "length": 1_024}, {"batch": 1, "length": 32_768}, {"batch": 1, "length": 131_072}],
        "longest": {"batch": 1, "length": 1 << 24},
        "precision": "bf16-mixed",
        "timing": {"call_seconds": 5.0, "memory_gb": None},
        "limits": {"memory_mb": 1_024},
    },
    "quick": {"peers": ["authors", "torch"], "longest": {"batch": 1, "length": 8_192}, "precision": "bf16-mixed"},
}
"""The same on ``device: cuda``, where it differs."""


def stands_for(size: str, device: str | None) -> dict[str, Any]:
    """Fields of a recipe by name, as they suit the device.

    >>> stands_for("quick", "cuda")["peers"]
    ['authors', 'torch']
    """
    return SIZES[size] | (ON_CUDA[size] if device == "cuda" else {})
