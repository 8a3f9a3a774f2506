"""Priming: fills the path from reservoir to catheter tip at the highest flow that the pump has beside its basal rate
(F7; R21). It is given as a bolus that no limit counts, and that is over when its volume is given: it cannot run on."""

from micropython import const

from firmware import alarms, fluid_path, units
from firmware.dosing import ON
from firmware.prescription import STOPPED

_DAY_S = const(86_400)


class Priming:
    """The priming of one pump. A refusal is a ValueError that says why."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app

    def _span(self, volume_nl):
        """The least whole seconds over which the volume flows beside the highest basal rate (R04)."""
        max_rate = self._app.records.calibration.max_rate
        room = max_rate - self._app.dosing.schedule.highest()
        seconds = (volume_nl * _DAY_S + room - 1) // room if room > 0 else 0
        if not 1 <= seconds <= _DAY_S:
            raise ValueError(
                "prime = %s: the basal rate leaves %d of %d nL/day, too little for 24 h"
                % (units.volume_text(volume_nl), max(0, room), max_rate)
            )
        return seconds

    def lines(self):
        """Volume, flow and duration, and what they rest on."""
        records = self._app.records
        if records.calibration is None:
            raise ValueError("prime: the pump has no calibration; `calibrate` comes first")
        volume_nl = fluid_path.volume_nl(records.calibration)
        found = ["path: " + fluid_path.text(records)]
        if volume_nl:
            rx = records.prescription
            seconds = self._span(volume_nl)
            found.append("prime: " + units.both_text(volume_nl, rx.concentration if rx is not None else 0))
            found.append("prime_s: %d" % seconds)
            found.append("prime_flow: %s/day beside basal" % units.volume_text(volume_nl * _DAY_S // seconds))
        return found

    def give(self):
        """Prime. A bolus that runs is cancelled, not set aside: one that an operator interrupted, primed over and
        resumed gave too much or too little in a pump that was recalled for it. Returns lines for the operator."""
        app = self._app
        found = self.lines()
        volume_nl = fluid_path.volume_nl(app.records.calibration)
        if not volume_nl:
            raise ValueError("prime = 0 uL: the calibration says that the path holds nothing")
        if app.courses.bridge_left_nl():
            raise ValueError("prime: a bridge runs; `bridge cancel` ends it")
        if app.mode() != ON or app.courses.mode() == STOPPED:
            raise ValueError("prime: delivery is stopped")
        if app.alarms.reaction() != alarms.UNCHANGED:
            raise ValueError("prime: alarm %s" % ", ".join(alarms.codes(app.alarms.active)))
        if volume_nl > app.ledger.reservoir_nl:
            raise ValueError(
                "prime = %s: the reservoir should hold %s"
                % (units.volume_text(volume_nl), units.volume_text(app.ledger.reservoir_nl))
            )
        app.therapy.prime(volume_nl, self._span(volume_nl))
        return found
