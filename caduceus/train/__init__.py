"""Training, on Lightning; nothing else in the library imports it.

settings     what a run is told, as data: without torch and Lightning, so importing this package alone loads neither
batches      a global batch of tokens, cut into micro-batches for the devices at hand
schedule     the learning rate at a step
optimiser    which weights decay; AdamW
loader       micro-batches of a whole run, from any step on
module       the loss of a step, weighted by its targets whatever the micro-batches and devices
metrics      metrics.csv
files        files that are there whole or not at all
loggers      TensorBoard and W&B beside metrics.csv
mode         activation checkpointing and torch.compile
scoring      bits per base on held-out sequence, and predictions one base at a time
properties   what a model declares, asserted before it trains
measuring    time and memory of a step, on this machine, which `machine` describes
means        what a run computes with: its checkpoints remember it
steps        the base of what happens after an update: `journal` writes a row and validates, `keeper` writes a
             checkpoint, `bar` shows progress, `refreshing` has the report made anew
signals      signals and the time limit, acted on between steps, `watching` keeps them from Lightning; `slurm` queues a
             job again
ranks        which process of several this is
fit          the run itself

Fine-tuning on labelled sequences has its own settings (`tuning_settings`), loss (`classifier`), choice of the best
epoch (`selection`) and run (`tune`).
"""
