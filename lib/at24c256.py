"""EEPROM AT24C256: 32 KiB in 512 pages of 64 bytes (Atmel AT24C256B data sheet, rev. 5080B).

Every call ends in bounded time, whatever the bus does, and leaves the part write-protected. After
construction nothing here allocates memory unless it fails.
"""

import struct

from micropython import const

_PAGE = const(64)
_POLLS = const(10)  # a write cycle takes at most 5 ms (t_WR); twice that, in polls 1 ms apart
_POLL = b"\0"
_FRAME = ">H64s"  # what a page write sends: address, high byte first, then the page


class EepromError(OSError):
    """The part did not acknowledge, or did not keep what it was given. `worn`: it answered, but the page reads
    otherwise than it was written."""

    worn = False


class VerifyError(EepromError):
    """A page did not keep what it was given."""

    worn = True


class AT24C256:
    """The part at `address` of an I2C bus, with its WP pin. `page_writes`: pages sent to it since construction, each of
    which may have worn it."""

    SIZE = 32768
    PAGE_SIZE = 64
    PAGES = 512

    def __init__(self, i2c, write_protect, sleep_ms, address=0x50):
        """i2c: machine.I2C. write_protect: the Pin at WP, driven high here. sleep_ms: waits so many
        milliseconds.
        """
        write_protect.value(1)
        self._i2c = i2c
        self._protect = write_protect
        self._sleep_ms = sleep_ms
        self._address = address
        self.page_writes = 0
        self._pointer = bytearray(2)
        self._frame = bytearray(2 + _PAGE)
        self._check = bytearray(_PAGE)

    def read_into(self, address, buffer):
        """Fill buffer from address on.

        A part that is busy with a write cycle, from before a reset perhaps, is waited for; so is one that
        failed to answer just once. Raises EepromError if it does not answer for 10 ms, ValueError outside of
        the memory.
        """
        if address < 0 or address + len(buffer) > self.SIZE:
            raise ValueError("EEPROM address %d: 0 to %d" % (address, self.SIZE - len(buffer)))
        self._pointer[0] = address >> 8
        self._pointer[1] = address & 0xFF
        for _ in range(_POLLS):
            try:
                self._i2c.writeto(self._address, self._pointer, False)
                self._i2c.readfrom_into(self._address, buffer)
                return
            except OSError:
                self._sleep_ms(1)
        raise EepromError("page %d: cannot be read" % (address // _PAGE))

    def write_page(self, page, data):
        """Write one page, 0..511, with 64 bytes, and read it back.

        Raises EepromError if the part does not take it, or has something else in that page afterwards; then
        the page may hold anything. Raises ValueError for another page or length.
        """
        if not 0 <= page < self.PAGES:
            raise ValueError("EEPROM page %d: 0 to %d" % (page, self.PAGES - 1))
        if len(data) != _PAGE:
            raise ValueError("EEPROM page %d: %d bytes, must be %d" % (page, len(data), _PAGE))
        struct.pack_into(_FRAME, self._frame, 0, page * _PAGE, data)
        try:
            self._protect.value(0)
            self._send(page)
        finally:
            self._protect.value(1)
        self.read_into(page * _PAGE, self._check)
        if self._check != data:
            raise VerifyError("page %d: read back differs" % page)

    def _send(self, page):
        """Send the frame and wait for the end of the write cycle, until which nothing is acknowledged."""
        self.page_writes += 1
        try:
            self._i2c.writeto(self._address, self._frame)
        except OSError:
            # The STOP that ends a broken transfer makes the part write what it has got: only when that is over will it
            # answer to a second attempt.
            self._wait()
            raise EepromError("page %d: not acknowledged" % page)
        if not self._wait():
            raise EepromError("page %d: no end of the write cycle" % page)

    def _wait(self):
        """Wait until the part acknowledges, at most 10 polls 1 ms apart. Returns whether it does."""
        for _ in range(_POLLS):
            self._sleep_ms(1)
            try:
                # One byte of address: it starts no write cycle, and unlike an empty write it is made by the I2C block.
                self._i2c.writeto(self._address, _POLL)
                return True
            except OSError:
                continue  # still in its write cycle
        return False


def recover_bus(scl, sda, sleep_us):
    """Free an I2C bus whose controller was reset in the middle of a transaction. Returns whether the bus is free.

    A part that was sending goes on holding SDA low for the zero bits of its byte. It is clocked until it lets
    go, after nine clocks at the latest, where it misses the acknowledge. Then a START, which makes every part
    drop what it was doing, a half-received write included, and a STOP. scl, sda: open-drain Pins, released;
    call it before I2C().
    """
    scl.value(1)
    sda.value(1)
    sleep_us(5)
    for _ in range(9):
        if sda.value():
            break
        scl.value(0)
        sleep_us(5)
        scl.value(1)
        sleep_us(5)
    if not (sda.value() and scl.value()):
        return False
    # No clock between the check and the START: the next bit might be a zero.
    sda.value(0)
    sleep_us(5)
    sda.value(1)
    sleep_us(5)
    return bool(sda.value())
