"""The CUDA backend without a GPU: on kernels that refuse what the real ones refuse, and on broken installs.

`stand_ins` computes, `site` writes packages to disk as pip would, `pretend` makes torch and the backend take the CPU
for a GPU. Nothing here says how fast anything is, or that a GPU computes the same: for that, run the suite with
``--backend cuda`` on one.
"""
