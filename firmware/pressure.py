"""Line pressure (F11; R20): is the way out closed?

The sensor gives 500 mV at 0 kPa and 10 mV for each kPa more. A closed line stretches: 20 nL for each kPa, on the
reference hardware. Occlusion is found in three ways:

- Threshold: 70 kPa or more in three readings a second apart. 1.4 uL are in the line by then, hours of a low flow.
- Trend: in each of four stretches of flow in a row the pressure rises by at least half of what a closed line would make
  of that flow. A stretch is 100 nL and at least 10 s, so the flow of a closed line is found after 0.4 to 0.5 uL. A step
  of the pressure (posture, a hand on the line) lifts it in three stretches at most, noise in no four in a row. Where
  70 kPa come sooner than four stretches, above 2 mL/day, the threshold finds it first.
- A sensor that shows what no line gives (below 200 mV, above 3,250 mV: an open or shorted wire) in three readings in a
  row. An occlusion could not be seen any more, and a protection that has failed must not go unnoticed (R18): it counts
  as one, and stops the pump.

The cause is gone when three readings in a row lie below the middle between what the pressure was and what it became.
A trend may be something else than a closed line, and what made it may stay (posture, a line that was narrowed): its
cause is gone too when the pressure has not risen by more than 2 kPa for 60 s. The pump is stopped, so in a closed line
it stands as well: then the operator decides. The next trend begins at the pressure that `clear` finds.

No wrong bit in these numbers hides a closed line: whatever is found is an alarm in every second, readings are counted
by the low bits, and what is below 0 ends a stretch. A trend may be found as much later as it takes to begin anew (R26).
"""

from micropython import const

from firmware import alarms

ZERO_MV = const(500)
LIMIT_MV = const(1_199)  # 70 kPa, 1,200 mV: the ADC may show a count less
RELEASED_MV = const(850)  # 35 kPa
BROKEN_BELOW_MV = const(200)
BROKEN_ABOVE_MV = const(3_250)
DWELL = const(3)  # readings
STRETCH_PL = const(100_000)
STRETCH_S = const(10)
STRETCHES = const(4)
# A closed line: 20,000 pL for 1 kPa, which is 10 mV. Half of that rise is a millivolt for every 4,000 pL.
PL_PER_MV = const(4_000)
_SMOOTH = const(3)  # a low-pass of 8 s
STILL_S = const(60)
STILL_MV = const(20)  # 2 kPa: noise of 1 kPa is no rise

OPEN, THRESHOLD, TREND, SENSOR = range(4)


class Line:
    """Judges the readings. found: OPEN, or by what it is known to be closed."""

    def __init__(self):
        self.found = OPEN
        self._released_mv = RELEASED_MV
        self._bad = 0  # readings in a row at the limit, or that no line gives
        self._good = 0  # readings in a row below _released_mv
        self._still = 0  # readings since the pressure has risen
        self._lowest_mv = 0  # of them
        self._smooth = -1  # low-passed mV, shifted; below 0: none yet
        self._forget(ZERO_MV)

    def _forget(self, millivolts):
        """A stretch begins, the first of a possible rise."""
        self._begin(millivolts)
        self._rises = 0
        self._base_mv = millivolts

    def _begin(self, millivolts):
        self._level_mv = millivolts
        self._pl = 0
        self._seconds = 0

    def read(self, millivolts, picolitres):
        """A reading, once a second, and what has been delivered since the last one."""
        broken = not BROKEN_BELOW_MV <= millivolts <= BROKEN_ABOVE_MV
        self._bad = min(DWELL, (self._bad & 3) + 1) if broken or millivolts >= LIMIT_MV else 0
        if self._bad == DWELL and self.found in (OPEN, TREND):
            self._close(SENSOR if broken else THRESHOLD, RELEASED_MV)
        elif self.found:
            self._watch_release(broken, millivolts)
        elif not broken:
            self._watch_trend(millivolts, picolitres)

    def _close(self, found, released_mv):
        self.found = found
        self._released_mv = released_mv
        self._good = self._still = 0

    def _watch_release(self, broken, millivolts):
        self._good = self._good + 1 if not broken and millivolts < self._released_mv else 0
        if broken or not self._still or millivolts > self._lowest_mv + STILL_MV:
            self._still = 0
            self._lowest_mv = millivolts
        self._lowest_mv = min(self._lowest_mv, millivolts)
        self._still += not broken
        if self._good >= DWELL or (self.found == TREND and self._still > STILL_S):
            self.found = OPEN
            self.rebase()

    def rebase(self):
        """A trend begins at the next reading."""
        self._smooth = -1

    def _watch_trend(self, millivolts, picolitres):
        if self._smooth < 0:
            self._smooth = millivolts << _SMOOTH
            self._forget(millivolts)
            return
        self._smooth += millivolts - (self._smooth >> _SMOOTH)
        self._pl += picolitres
        self._seconds += 1
        if 0 <= self._pl < STRETCH_PL or 0 <= self._seconds < STRETCH_S:
            return
        level = self._smooth >> _SMOOTH
        if (level - self._level_mv) * PL_PER_MV < self._pl:
            self._forget(level)
            return
        self._rises = (self._rises & 3) + 1
        if self._rises == STRETCHES:
            self._close(TREND, (self._base_mv + level) // 2)
        self._begin(level)


class Pressure:
    """The line of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._line = Line()
        self._steps = -1  # that the ledger had counted at the last reading; below 0: there was none
        self.millivolts = ZERO_MV

    def watch(self):
        """Once a frame."""
        app = self._app
        self.millivolts = app.board.millivolts(app.board.PRESSURE)
        steps = app.ledger.steps
        made = steps - self._steps if 0 <= self._steps <= steps else 0  # a ledger that began anew counts from 0
        self._steps = steps
        before = self._line.found
        self._line.read(self.millivolts, made * app.cascade.pl_per_step)
        found = self._line.found
        if found:
            if found != before:  # a trend may become a threshold
                app.log.log("occlusion", found=found, millivolts=self.millivolts)
            app.alarms.raise_(alarms.OCCLUSION)
        else:
            app.alarms.gone(alarms.OCCLUSION)
        if app.alarms.active & 1 << alarms.OCCLUSION:
            self._line.rebase()  # nothing flows until `clear`, whatever the pressure does
