"""Front end two: the device models as external parts of an emulated RP2040 that runs real MicroPython."""
