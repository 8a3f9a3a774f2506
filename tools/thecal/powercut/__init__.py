"""The power-cut campaign: `python -m thecal.powercut` (docs/BENCHMARKS.md, docs/EEPROM.md).

The whole application is cut at every byte of every page write of a life (`singles`, `metastable`, `pulses`, `pairs`,
`sampled`); other parts work on the records alone, on the bus and on the emulated board.
"""
