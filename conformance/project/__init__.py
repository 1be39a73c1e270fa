"""Tests about the project itself: its imports, its documents and its wheel. They are not part of the wheel."""
