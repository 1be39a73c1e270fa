"""``python -m caduceus.conformance [pytest options]``: run the suite as it is installed.

The settings of the project in the current folder do not act here, and nothing is written beside the installed files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from caduceus.extras import require


def main(options: list[str]) -> int:
    """Exit status of pytest over the installed suite."""
    folder = str(Path(__file__).parent)
    plugins = ["-p", "caduceus.conformance.plugin", "-p", "no:cacheprovider"]
    settings = ["--import-mode=importlib", "-c", os.devnull, "--rootdir", folder]
    return int(require("pytest", "test").main([*plugins, *settings, folder, *options]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
