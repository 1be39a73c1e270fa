"""What is brought from the Hugging Face hub, by a client that comes with the extra ``hub``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caduceus.extras import require


def from_hub(what: str, bring: Callable[[Any], Any], advice: str) -> Any:
    """What ``bring`` gets, given the module huggingface_hub.

    Args:
        what: what to call it in the message. advice: what to do where it does not come.

    Raises:
        ModuleNotFoundError: there is no client.
        FileNotFoundError: nothing came, as without a network; the message says why.
    """
    client = require("huggingface_hub", "hub")
    try:
        return bring(client)
    # By its version, errors of the network are those of requests, which are OSErrors, or of httpx, which are none.
    except Exception as error:
        raise FileNotFoundError(
            f"{what} did not come from the Hugging Face hub: {type(error).__name__}: {error}\n{advice}"
        ) from error
