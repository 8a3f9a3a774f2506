"""Temperature (F11; R37): too hot above 55 degC, over when it is below 50.

The RTC has a thermometer that is good to 3 degC; it is asked for a conversion at each reading, which is read with the
next one, as by itself it converts only once in 64 s. The processor has one that is good to some 10 degC. It stands in
where the RTC does not answer, and what it shows beyond 75 degC counts in any case: an RTC that sticks to one value must
not hide a fire. Two readings in a row, 10 s apart, must agree, so heat is noticed within 30 s.
"""

from micropython import const

from firmware import alarms

EVERY_FRAMES = const(10)
# In quarters of a degree Celsius, as the RTC gives them.
HOT = const(220)
COOL = const(200)
DIE_HOT = const(300)
DWELL = const(2)
_TASK = const(12)  # in resets.TASKS: returned by the task
_DIE_27 = const(108)
_DIE_MV = const(706)  # at 27 degC (RP2040 data sheet 4.9.5), and 1.721 mV less for each degree more


def die_quarters(millivolts):
    """Quarters of a degree Celsius by the processor's thermometer; up to a degree too many, as mV are floored."""
    return _DIE_27 + (_DIE_MV - millivolts) * 4_000 // 1_721


class Temperature:
    """The temperature of one pump. quarters: of a degree Celsius, as read last; None before the first reading."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self.quarters = None
        self._turns = 0  # readings in a row that say otherwise than the alarm

    def start(self):
        """Alarms have been restored: heat that stopped the pump before counts as there until it was read otherwise."""
        if self._app.alarms.active & 1 << alarms.OVER_TEMPERATURE:
            self._app.alarms.raise_(alarms.OVER_TEMPERATURE)

    def sense(self, late):
        """Every 10 frames, in the middle of a second: one reading of both."""
        app = self._app
        die = die_quarters(app.board.millivolts(app.board.DIE))
        try:
            quarters = app.board.rtc.temperature()
        except OSError:
            quarters = die
        self.quarters = quarters
        hot = bool(app.alarms.present & 1 << alarms.OVER_TEMPERATURE)
        if hot:
            turns = quarters < COOL and die < DIE_HOT
        else:
            turns = quarters > HOT or die > DIE_HOT
        self._turns = (self._turns & 1) + 1 if turns else 0  # a wrong bit must not put it off
        if self._turns < DWELL:
            return _TASK
        self._turns = 0
        if hot:
            app.alarms.gone(alarms.OVER_TEMPERATURE)
        else:
            app.log.log("temperature", celsius=quarters // 4, die_celsius=die // 4)
            app.alarms.raise_(alarms.OVER_TEMPERATURE)
        app.apply()
        return _TASK
