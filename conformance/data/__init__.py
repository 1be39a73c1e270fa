"""Genomes, intervals, windows, masks and samples: against recorded official behaviour, brute force and real files."""
