"""Benchmarks: each prints a figure and its ratio to a reference measured in the same run."""
