"""The portable scan works in chunks: how large they are must not show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from caduceus.backends.torch import scan
from caduceus.conformance.properties.bounds import GRADIENTS, VALUES, distance, law
from caduceus.conformance.properties.calculus import kernel_gradients
from caduceus.conformance.properties.scan import SCAN
from caduceus.conformance.subjects import Arguments, Subject


@contextmanager
def chunk_bytes(size: int) -> Iterator[None]:
    """Chunks of about ``size`` bytes inside; at least the few steps that the scan makes of any size."""
    usual = scan.CHUNK_BYTES
    scan.CHUNK_BYTES = size
    try:
        yield
    finally:
        scan.CHUNK_BYTES = usual


@law("scan: the size of a chunk does not matter", VALUES)
def check_chunk_size(subject: Subject, arguments: Arguments, size: int) -> float:
    """y and state with chunks of ``size`` bytes against one chunk for everything."""
    with chunk_bytes(size):
        found = subject.kernel(SCAN, arguments)
    with chunk_bytes(1 << 40):
        return distance(found, subject.kernel(SCAN, arguments))


@law("scan: the size of a chunk does not matter to gradients", GRADIENTS)
def check_chunk_size_in_gradients(subject: Subject, arguments: Arguments, size: int, seed: int) -> float:
    """Every gradient with chunks of ``size`` bytes against one chunk for everything."""
    with chunk_bytes(size):
        found = kernel_gradients(subject, SCAN, arguments, seed)
    with chunk_bytes(1 << 40):
        expected = kernel_gradients(subject, SCAN, arguments, seed)
    return max(distance(found[n], expected[n]) for n in expected)
