"""Golden models are so small that threads cost more than they bring."""

from __future__ import annotations

from caduceus.conformance.one_thread import one_thread as one_thread
