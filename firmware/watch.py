"""Watches what no part reports by itself: delivery that falls short (R03), and a DOSE button held down (R38).

Delivery is short when more than a tenth of what was demanded within 15 minutes of dosing was missed: late seconds, and
steps that could not be reserved. Demand is what the rates and boluses of each second ask for, not steps: at a low rate
whole quarters of an hour pass without one. All integers, in 1/432 pL; nothing is rounded. The 15 minutes are whole
ones, so it is looked at once a minute, and the alarm ends by itself with the first quarter of an hour that was not
short. Whatever ends dosing begins them anew.
"""

from micropython import const

from firmware.alarms import BUTTON_HELD, UNDER_DELIVERY
from firmware.dosing import ON

_MINUTE_S = const(60)
_MINUTES = const(15)
_HELD_S = const(60)
_COUNT = const(127)  # no wrong bit makes a minute longer than this
_SHORT = const(10)  # one part in so many missed is still enough


class Watch:
    """Under-delivery and button of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._held_s = 0  # looks in a row that found the button down, a second each
        self._minutes = []  # (demanded, missed) of the last minutes, 1/432 pL, newest last
        self._demanded = 0  # of the minute that is not over
        self._missed = 0
        self._seconds = 0

    def keep(self, seconds):
        """Once a frame. seconds: since the last call."""
        self._watch_button(seconds)
        app = self._app
        bolus_pl = app.dosing.bolus_pl
        missed_pl = app.missed.dosing_pl
        app.dosing.bolus_pl = app.missed.dosing_pl = 0
        if app.dosing.mode != ON:
            self._minutes = []
            self._demanded = self._missed = self._seconds = 0
            app.alarms.gone(UNDER_DELIVERY)
            return
        self._demanded += app.cascade.rate * 5 * seconds + bolus_pl * 432
        self._missed += missed_pl * 432
        self._seconds = (self._seconds & _COUNT) + seconds
        if self._seconds >= _MINUTE_S:
            self._end_minute()

    def _end_minute(self):
        minutes = self._minutes
        minutes.append((self._demanded, self._missed))
        self._demanded = self._missed = self._seconds = 0
        if len(minutes) > _MINUTES:
            minutes.pop(0)
        if len(minutes) < _MINUTES:
            return
        if _SHORT * sum([missed for _, missed in minutes]) > sum([demanded for demanded, _ in minutes]):
            self._app.alarms.raise_(UNDER_DELIVERY)
        else:
            self._app.alarms.gone(UNDER_DELIVERY)

    def _watch_button(self, seconds):
        """Looks a second apart are enough: what bounces for less is still held."""
        app = self._app
        if not app.board.button_down():
            self._held_s = 0
            app.alarms.gone(BUTTON_HELD)
            return
        self._held_s = (self._held_s & _COUNT) + seconds
        if self._held_s > _HELD_S:  # the first look came up to a second after it went down
            app.alarms.raise_(BUTTON_HELD)
