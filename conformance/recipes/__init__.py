"""Tests of training and of the recipes on top of it."""
