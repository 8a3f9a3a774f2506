"""What the pump sounds and shows: alarms (F11; R28 to R31), and an answer to every press of the DOSE button (F3).

| what | buzzer, one second each | how often | LED |
|---|---|---|---|
| alarm of high priority | 1 kHz, 1.5 kHz, 1 kHz | at once, then every 10 min | 2 Hz |
| alarm of medium priority | 1 kHz | at once, then every 60 min | 0.5 Hz |
| alarm of low priority | nothing | | steady |
| accepted | 2 kHz | once | lit while it sounds |
| denied | 500 Hz, silence, 500 Hz | once | steady for a minute: the alarm bolus_denied is of low priority |

The highest priority of all active alarms decides. A new alarm of high or medium priority sounds at once, even if one
sounds already; then the time to the next sound begins anew. Seconds are the pump's frames. An answer begins with the
next frame, and a new one takes the place of one that is not over. An alarm comes before an answer: the answer, if need
be from its beginning, follows a second after the alarm's tones, which are none of its own. A light that blinks for an
alarm does not show answers.

test() sounds and shows an alarm of high and then one of medium priority while none is active, so that the operator can
tell whether they are heard and seen where the pump stands (R29). A new alarm ends the test.

silence() keeps alarms silent for two minutes at most, answers never, and the light never. Then they sound at once, if
one of high or medium priority is active; so they do when a new one is raised. It is state of the RAM only.

Blinking needs less than a frame: blink() runs between the tasks and says when it must run again. A half period is
counted from the end of the one before, so a busy pump makes it longer, never shorter.

No wrong bit in these numbers keeps an alarm silent or its light still. The seconds of silence and those since the last
sound are sealed by their sum, inverted: when it does not fit, an alarm sounds at once. A change of the LED that is
further away than half a period is due now (R28).
"""

from micropython import const

from firmware.alarms import HIGH, LOW, MEDIUM

_HIGH_HZ = const(2_000)
_LOW_HZ = const(500)
_ALARM_HZ = const(1_000)
_ALARM_HIGHER_HZ = const(1_500)
_ACCEPTED = (_HIGH_HZ,)
_DENIED = (_LOW_HZ, 0, _LOW_HZ)
# Priority: hz of each second, with one of silence before whatever follows; seconds from one begin to the next; half a
# period of the LED, ms.
PATTERNS = {
    HIGH: ((_ALARM_HZ, _ALARM_HIGHER_HZ, _ALARM_HZ, 0), 600, 250),
    MEDIUM: ((_ALARM_HZ, 0), 3_600, 1_000),
}
_SILENCE_S = const(120)
_NEVER_MS = const(1_000)  # what the console says when it waits for nothing


class Signals:
    """Buzzer and LED. `sounded_s`: seconds of sound since the start, for the battery. `silent_s`: seconds that a
    silence still lasts."""

    def __init__(self, board):
        """board: sound(hz), led(on), ticks_ms, ticks_add, ticks_diff."""
        self._board = board
        self.sounded_s = 0
        self.silent_s = 0
        self._answer = ()  # hz of the frames to come
        self._whole = ()  # and of all of them
        self._tune = ()  # the same of an alarm
        self._priority = None  # the highest of the active alarms
        self._since_s = 0  # since an alarm sounded last
        self._seal = ~0  # of silent_s and _since_s
        self._hz = 0
        self._lit = False
        self._shown = None  # the priority that the LED shows
        self._toggle_at = 0  # ticks_ms of its next change

    def accepted(self):
        """The patient's bolus will be given."""
        self._answer = self._whole = _ACCEPTED

    def denied(self):
        """The patient's bolus will not be given."""
        self._answer = self._whole = _DENIED

    def silence(self, priority):
        """No alarm sounds from the next frame on, for two minutes. priority: the highest of the active alarms, or None.
        Raises ValueError if there is nothing to silence, or nothing has sounded since the last silence."""
        if priority not in PATTERNS:
            raise ValueError("silence: no alarm sounds")
        if self.silent_s:
            raise ValueError("silence: it is silent for %d s more" % self.silent_s)
        self.silent_s = _SILENCE_S
        self._seal -= _SILENCE_S
        self._tune = ()

    def test(self, priority):
        """From the next frame on, what a new alarm of high and then one of medium priority would sound and show.
        priority: the highest of the active alarms, or None. Raises ValueError if one of those is active itself."""
        if priority in PATTERNS:
            raise ValueError("test alarms: an alarm of %s priority is active" % priority)
        self._begin(PATTERNS[HIGH][0] + PATTERNS[MEDIUM][0])

    def frame(self, priority, fresh, seconds=1):
        """Once a second: sound and light of the second that begins. priority: the highest of the active alarms, or
        None. fresh: whether one of high or medium priority is new. seconds: since the last call."""
        self._watch(priority, fresh, seconds)
        hz = 0
        if self._tune:
            if priority not in PATTERNS:  # a test
                priority = HIGH if len(self._tune) > len(PATTERNS[MEDIUM][0]) else MEDIUM
            hz = self._tune[0]
            self._tune = self._tune[1:]
        elif self._answer:
            hz = self._answer[0]
            self._answer = self._answer[1:]
        if hz:
            self.sounded_s += 1
        if hz != self._hz:
            self._hz = hz
            self._board.sound(hz)
        self._shine(priority, hz)

    def _watch(self, priority, fresh, seconds):
        """Begin the tune of an alarm when it is due."""
        if priority != self._priority:
            self._priority = priority
            self._tune = ()
        if self._seal != ~(self.silent_s + self._since_s):
            self.silent_s = self._since_s = 0
            fresh = True
        if priority in PATTERNS:
            self._count(PATTERNS[priority], fresh, seconds)
        else:
            self.silent_s = 0
        self._seal = ~(self.silent_s + self._since_s)

    def _count(self, pattern, fresh, seconds):
        tune, every_s, _ = pattern
        self._since_s += seconds
        due = fresh or self._since_s >= every_s
        if self.silent_s:
            self.silent_s = 0 if fresh else max(0, self.silent_s - seconds)
            due = not self.silent_s
        if due:
            self._since_s = 0
            self._begin(tune)

    def _begin(self, tune):
        """An answer that it cuts off is given once more, whole."""
        self._tune = tune
        if self._answer:
            self._answer = self._whole

    def _shine(self, priority, hz):
        if priority not in PATTERNS:
            self._led(priority == LOW or hz == _HIGH_HZ)
        elif priority != self._shown:
            self._toggle_at = self._board.ticks_add(self._board.ticks_ms(), PATTERNS[priority][2])
            self._led(True)
        self._shown = priority

    def blink(self):
        """Every turn: change the LED if that is due. Returns the longest time (ms) until it must run again."""
        if self._shown not in PATTERNS:
            return _NEVER_MS
        half_ms = PATTERNS[self._shown][2]
        board = self._board
        left = board.ticks_diff(self._toggle_at, board.ticks_ms())
        if 0 < left <= half_ms:
            return left
        self._led(not self._lit)
        self._toggle_at = board.ticks_add(board.ticks_ms(), half_ms)
        return half_ms

    def _led(self, on):
        if on != self._lit:
            self._lit = on
            self._board.led(on)
