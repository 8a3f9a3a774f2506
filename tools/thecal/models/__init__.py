"""The parts of one physical pump, modelled once: the twin and the emulated board both run on them.

Time is true time in integer nanoseconds since the start of the scenario and is always passed in as `now_ns`;
no model has a clock of its own. Nothing here is random unless it is given a generator.
"""
