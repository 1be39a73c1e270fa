"""Tests that any backend and any model of this library must pass; installed as ``caduceus.conformance``.

    pytest conformance/                                      in a checkout
    python -m caduceus.conformance                           from a wheel
        --backend NAME | package.module:Backend              this backend only, in every dtype it declares
        --model package.module:make                          this model only, on every backend or on those named

``make`` takes nothing and returns the spec of a model (`parts.Model`, `parts.Symmetrize`), the spec of a mixer, which
is put into a ps model, or a built model. Modules are found on PYTHONPATH; with ``python -m`` also in this folder.
HYPOTHESIS_PROFILE is dev (10 examples), ci (30, the same each time) or deep (500, and more of what takes long).

The summary gives the largest error of every property on every backend beside what is allowed; 0 is to the last bit.
What was not tested is there with its reason: backends that cannot run here, properties that do not apply.

properties/    the properties, one function each: (subject or model, examples) -> observed error, with its bound
subjects       a backend in one dtype, and models on it, behind NumPy arrays; what properties are given
inputs         examples from a seed             strategies    examples that Hypothesis draws
catalogue      one small model of each kind     requirements  which property holds of which model
under_test     from options to what is tried
plugin         options, profiles, fixtures      summary       what is said at the end

test_backend_*     kernels, parts and weights: what a backend must pass
test_model_*       what a model must pass
test_contract*     names and behaviours that outside scripts rely on
examples/          a third party's mixer, in one file
mutants/           planted faults, each of which the properties must find

Files import one another by their installed names, so that both runs see the same modules.
"""
