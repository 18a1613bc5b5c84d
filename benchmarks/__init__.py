"""Measurements. Each prints a table and writes JSON under benchmarks/results/."""
