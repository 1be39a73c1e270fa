"""Checkpoints: this library's own layout (a spec and its weights) and the published Hugging Face layout, both ways.

caduceus    spec.yaml + model.safetensors
official    config.json + model.safetensors (or, read only, pytorch_model.bin)

keys        which official key holds which weight
config      what config.json means, as a spec
half_swap   the exchange of channel halves that published ps files hide, moved into the weights and back
official    the three together: config and tensors to spec and weights, and back
heads       which head a caller gets: the file's, none, or a fresh one
files       reading and writing, refused early and written whole
"""

from caduceus.checkpoint.load import load_pretrained
from caduceus.checkpoint.save import official_state, save_pretrained

__all__ = ["load_pretrained", "official_state", "save_pretrained"]
