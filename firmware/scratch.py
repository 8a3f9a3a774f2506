"""The count between two records: the watchdog's scratch registers 0-3 keep it over every reset but power-on (F10; I3).

| register | 30 bits |
|---|---|
| 0 | low 15 bits of the total of steps, and above them their complement as a check |
| 1 | the same, inverted: a reset may come between the two |
| 2 | low 12 bits of the day, 17 bits second of the day, of the last tick |
| 3 | the cascade's remainder: 21 bits pL, 9 bits 1/432 pL |
"""

from micropython import const

_TOTAL_BITS = const(15)
TOTAL_MASK = const(0x7FFF)  # more steps than any reservation has: 60 s at 333 steps/s are 20,000
_LOST_RECORD_MAX = const(0x3FFF)  # a total that is further ahead lies behind
_WORD_MASK = const(0x3FFFFFFF)
_DAY_MASK = const(0xFFF)
_SECOND_BITS = const(17)
_SECOND_MASK = const(0x1FFFF)
_LAST_SECOND = const(86_399)
_REM_BITS = const(9)
_REM_MASK = const(0x1FF)
_REM_END = const(432)


def _word(total):
    return total | (total ^ TOTAL_MASK) << _TOTAL_BITS


def _ahead(word, counted):
    """Steps made since a record that counted so many, as a word tells it, or -1 if it tells nothing."""
    total = word & TOTAL_MASK
    return (total - counted) & TOTAL_MASK if word == _word(total) else -1


class ScratchCount:
    """Reads and writes the four words. What the tick calls allocates nothing."""

    def __init__(self, words):
        """words: 4 words of at least 30 bits that survive a watchdog reset."""
        self._words = words

    def keep_total(self, total):
        """The total of steps, modulo 2**15. The total, not what came after a record: whichever record is found after a
        reset, it tells the count."""
        word = _word(total & TOTAL_MASK)
        self._words[0] = word
        self._words[1] = word ^ _WORD_MASK

    def keep_time(self, day, second, cascade):
        """Local time and the cascade's remainder."""
        self._words[2] = (day & _DAY_MASK) << _SECOND_BITS | second
        self._words[3] = cascade.acc_pl << _REM_BITS | cascade.rem

    def steps_since(self, counted, reserved):
        """Steps made since a record of so many counted and reserved, or -1 if nobody knows. The larger of two words:
        a reset may have come between them, and the count rounds against dosing.

        Two words that agree are believed beyond the reservation too: then the newest record was lost, and they are the
        only evidence of the steps that it had reserved.
        """
        one = _ahead(self._words[0], counted)
        other = _ahead(self._words[1] ^ _WORD_MASK, counted)
        used = max(one, other)
        if used <= reserved:
            return used
        return used if one == other and used <= _LOST_RECORD_MAX else -1

    def restore_remainder(self, cascade):
        """Give the cascade its remainder back, if it makes sense."""
        acc, rem = self._words[3] >> _REM_BITS, self._words[3] & _REM_MASK
        if acc < cascade.pl_per_step and rem < _REM_END:
            cascade.acc_pl, cascade.rem = acc, rem
        else:
            cascade.clear()

    def time_near(self, day):
        """(day, second) of the last tick; the day is that nearest to the given one, of which the low bits are kept."""
        ahead = ((self._words[2] >> _SECOND_BITS) - day) & _DAY_MASK
        day += ahead if ahead <= _DAY_MASK // 2 else ahead - _DAY_MASK - 1
        return max(0, day), min(self._words[2] & _SECOND_MASK, _LAST_SECOND)
