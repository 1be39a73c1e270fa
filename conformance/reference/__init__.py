"""The NumPy reference against the authors' numbers and against laws that hold whatever the numbers."""
