"""All checks and all faults, by name."""

from __future__ import annotations

from caduceus.conformance.mutants import (
    checks_data,
    checks_files,
    checks_golden,
    checks_kernels,
    checks_losses,
    checks_models,
    checks_symmetry,
    faults_backend,
    faults_checkpoint,
    faults_data,
    faults_heads_losses,
    faults_masks,
    faults_mixer,
    faults_symmetry,
)
from caduceus.conformance.mutants.check import Check
from caduceus.conformance.mutants.mutant import Mutant

CHECKS: dict[str, Check] = {
    **checks_symmetry.CHECKS,
    **checks_kernels.CHECKS,
    **checks_models.CHECKS,
    **checks_losses.CHECKS,
    **checks_golden.CHECKS,
    **checks_files.CHECKS,
    **checks_data.CHECKS,
}

MUTANTS: tuple[Mutant, ...] = (
    *faults_symmetry.MUTANTS,
    *faults_mixer.MUTANTS,
    *faults_backend.MUTANTS,
    *faults_masks.MUTANTS,
    *faults_heads_losses.MUTANTS,
    *faults_checkpoint.MUTANTS,
    *faults_data.MUTANTS,
)
