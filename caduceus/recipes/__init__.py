"""Recipes: whole runs from YAML files, by ``python -m caduceus.recipes``."""
