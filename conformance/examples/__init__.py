"""Files that stand for what others write: nothing here is part of the library."""
