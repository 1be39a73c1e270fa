"""Checkpoints: golden values through `load_pretrained`, both layouts both ways, and every refusal."""
