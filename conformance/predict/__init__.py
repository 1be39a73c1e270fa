"""Variants, embeddings and maps: from the files that people have, with the answers that they should get."""
