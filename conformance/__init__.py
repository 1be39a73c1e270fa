"""Tests that any backend and any model of this library must pass; installed as ``caduceus.conformance``.

``pytest conformance/`` in a checkout, ``python -m caduceus.conformance`` from a wheel; `plugin` holds the
options of both. Files import one another by their installed names, so that both runs see the same modules.
"""
