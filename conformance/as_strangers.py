"""Running the suite as somebody else does: in another process, from their folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_suite(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """``python -m caduceus.conformance`` with ``folder`` on the path, and few examples."""
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {"PYTHONPATH": os.pathsep.join(path), "HYPOTHESIS_PROFILE": "dev"}
    environment = {n: x for n, x in os.environ.items() if not n.startswith(("PYTEST", "CI"))} | settings
    command = [sys.executable, "-m", "caduceus.conformance", "-q", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
