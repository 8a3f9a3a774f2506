"""The bridge: after a change of drug or concentration the path still holds the old drug, which goes on at the old rate
until the ledger has counted the volume of the path; only then does the new prescription begin (F7).

Otherwise the old drug would flow at a rate that was reckoned for the new one: ten times the dose, or a tenth of it. As
there are no boluses meanwhile, the rate is that of the old dose a day, its scheduled boluses included.
"""

from micropython import const

from firmware import civil
from firmware.dosing import ON
from firmware.prescription import STOPPED

_U32 = 0xFFFFFFFF
_DAY_S = const(86_400)


def seconds(volume_nl, rate):
    """Whole seconds after which so much (nL) has flowed at a rate (nL/day)."""
    return (volume_nl * _DAY_S + rate - 1) // rate


class Bridging:
    """The bridge of one pump."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app

    def left_nl(self):
        """What the bridge has still to give, nL; 0: there is none, or it has given all. A total that has gone on,
        however far short of 2**32 nL, lies outside of the bridge."""
        rx = self._app.records.prescription
        if rx is None or not rx.course.bridge_nl:
            return 0
        left = (rx.course.bridge_end - self._app.ledger.volume_nl) & _U32
        return left if left <= rx.course.bridge_nl else 0

    def rate(self):
        """The rate of the bridge, nL/day, within what the calibration allows by now."""
        values = self._app.records.calibration
        rate = self._app.records.prescription.course.bridge_rate
        return max(values.min_rate, min(rate, values.max_rate))

    def end_text(self, left, rate, mode):
        """Local time at which so much has flowed, if nothing interrupts it."""
        app = self._app
        if mode == STOPPED:
            return "waits, as the mode is stopped"
        if app.mode() != ON:
            return "waits for `resume`; it takes %d s" % seconds(left, rate)
        return civil.iso(*civil.shifted(app.dosing.day, app.dosing.second, seconds(left, rate)))

    def status(self):
        """Lines for `status`."""
        left = self.left_nl()
        if not left:
            return []
        end = self.end_text(left, self.rate(), self._app.courses.mode())
        return ["bridge_left_nl: %d" % left, "bridge_end: " + end]
