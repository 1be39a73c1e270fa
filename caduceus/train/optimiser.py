"""AdamW and its learning rate; which weights decay."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from caduceus.nn.model import Model
from caduceus.parts.model import decayed
from caduceus.train.schedule import warmup_cosine
from caduceus.train.settings import Training

Groups = dict[bool, dict[str, nn.Parameter]]


def decay_groups(model: nn.Module) -> Groups:
    """Parameters by whether they decay, then by name.

    The spec says it of its own weights (``Weight.decay``). A third party's parameter, or one of a module without a
    spec, decays unless its name ends in "bias", it has fewer than two axes, or it carries a true ``_no_weight_decay``.

    >>> import caduceus
    >>> from caduceus import parts
    >>> spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=[], head=parts.MaskedLM())
    >>> {decays: list(found) for decays, found in decay_groups(caduceus.build(spec)).items()}
    {True: ['norm_f.weight'], False: ['embedding.weight']}
    """
    spec = getattr(model, "spec", None)
    declared = {} if spec is None else spec.weights()
    decaying = decayed(declared)
    groups: Groups = {True: {}, False: {}}
    for name, parameter in model.named_parameters():
        groups[name in decaying if name in declared else _decays(name, parameter)][name] = parameter
    return groups


def _decays(name: str, parameter: nn.Parameter) -> bool:
    exempt = name.endswith("bias") or parameter.ndim < 2 or getattr(parameter, "_no_weight_decay", False)
    return not exempt


def configure(model: Model, settings: Training) -> tuple[AdamW, LambdaLR]:
    """The optimiser and the schedule of a run."""
    told = settings.optimiser
    groups = [
        {"params": list(parameters.values()), "weight_decay": told.weight_decay if decays else 0.0}
        for decays, parameters in decay_groups(model).items()
        if parameters
    ]
    optimiser = AdamW(groups, lr=told.lr, betas=told.betas, eps=told.eps)
    return optimiser, LambdaLR(optimiser, lambda step: learning_rate(step, settings) / told.lr)


def learning_rate(step: int, settings: Training) -> float:
    """The learning rate of update ``step``, the first being 0."""
    warmup = settings.schedule.warmup * settings.max_steps
    return warmup_cosine(
        step,
        settings.optimiser.lr,
        warmup=warmup,
        cosine=settings.max_steps - warmup,
        start=settings.schedule.start,
        end=settings.schedule.end,
    )
