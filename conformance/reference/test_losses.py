"""The reference's losses against SciPy-free closed forms and finite facts."""
