"""Timing: what a machine can do, what the work is, and how long each contestant takes for it.

A contestant (`contestants.py`) does a piece of work (`work.py`); `measure.py` finds what each can do in the time and
memory allowed, times them in turns in one process, and sets the times beside each other and beside the floor
(`floor.py`) that the limits of the machine imply.
"""
