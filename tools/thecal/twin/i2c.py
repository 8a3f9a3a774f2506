BYTE_NS = 22500
class MachineI2C:
    def __init__(self, bus, clock): self.bus = bus; self.clock = clock
    def _go(self, addr, read):
        self.clock.advance(25000)
        if not self.bus.start(addr, read, self.clock.now_ns()):
            self.bus.stop(self.clock.now_ns()); raise OSError(5)
    def writeto(self, addr, buf, stop=True):
        self._go(addr, False)
        self.clock.advance(BYTE_NS * len(buf)); now = self.clock.now_ns()
        for b in buf: self.bus.write_byte(b, now)
        if stop: self.bus.stop(now)
    def readfrom_into(self, addr, buf, stop=True):
        self._go(addr, True)
        self.clock.advance(BYTE_NS * len(buf)); now = self.clock.now_ns()
        for i in range(len(buf)): buf[i] = self.bus.read_byte(now)
        if stop: self.bus.stop(now)
