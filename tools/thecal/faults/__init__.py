"""The fault campaign: `python -m thecal.faults` (docs/BENCHMARKS.md#faults).

One fault is put into each of many short lives of the running application: a flipped bit, an exception, a task that
stops, a clock that leaps, a part that fails. What the motor then really does is held against what was demanded, and
what the pump says against what has befallen it.
"""
