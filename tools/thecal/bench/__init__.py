"""Measures the pump: `python -m thecal.bench`. What each figure means stands in docs/BENCHMARKS.md.

probes/ and baselines/ hold device code: scripts that take the place of main.py on the emulated board and report to the
host. They are text here; the host imports none of them.
"""
