"""The compiled CPU backend on every instruction set of this processor: what the suite of all backends leaves out."""
