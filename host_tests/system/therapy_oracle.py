"""What a pump must do with a prescription and whatever is asked of it: an independent reckoning.

What is typed in second s acts on the state of second s, and what it starts begins with s + 1. The caller tells what
happens, in the order of time, and finds in the oracle what must follow: `log`, what the pump must tell; `flows` and
`basal`, what it demands; `refused`, the orders that are refused, with every reason that holds.
"""

from __future__ import annotations

from therapy_oracle_rules import DAY, Given, Rx, flow_fits, lockouts
from therapy_oracle_state import Timeline


class Oracle(Timeline):
    """One pump, and everything that can be done to it. Dosing begins at `tell_started`."""

    def tell_started(self, begin: int) -> None:
        """The pump has started, dosing (if it does) begins with this second."""
        self.advance(begin - 1)
        self.powered = True
        self._pass(begin)
        self.log += [entry._replace(second=begin) for entry in self._untold]
        self._untold = []
        self._skip_until(begin - 1 + self.offset, "stopped" if self.stopped else "interruption")
        self._dosing(begin)
        self._frame(begin)

    def power_cut(self, second: int) -> None:
        """The supply fails within this second. The end of a bolus is told after the next start."""
        self.advance(second)
        told = len(self.log)
        self._cancel_all(second, "interrupted")
        self.log, self._untold = self.log[:told], self.log[told:]
        self._dosing_ends(second)
        self.powered = False
        self.cuts.append(second)

    def press(self, second: int) -> None:
        """The button, or `dose`."""
        self.advance(second)
        patient = self.rx.patient if self.rx.boluses else None
        if patient is None:
            self._deny("patient", 0, {"not_prescribed"} | self._refusal(0, second + 1))
            return
        busy = self._busy(("patient", "prime"))
        t = second + 1
        reasons = self._refusal(patient.dose, t) | lockouts(patient, self.history, t) | busy
        self._take(Given("patient", t, patient.dose, patient.seconds, t + patient.seconds), reasons)

    def order(self, second: int, dose: int, seconds: int) -> None:
        """`bolus DOSE over SECONDS`."""
        self.advance(second)
        if not self.rx.boluses:
            self._deny("clinician", dose, {"not_prescribed"} | self._refusal(dose, second + 1))
            return
        t = second + 1
        reasons = self._refusal(dose, t) | self._busy(("patient", "prime", "clinician", "scheduled"))
        if not flow_fits(self.rx, dose, seconds, self.pump.max_rate):
            reasons.add("flow")
        self._take(Given("clinician", t, dose, seconds, t + seconds), reasons)

    def cancel(self, second: int) -> None:
        """`bolus cancel`."""
        self.advance(second)
        if self.running is None and not self.orders:
            self.refused.append((second, frozenset({"none"})))
        self._cancel_all(second, "cancelled")

    def prime(self, second: int, volume: int) -> None:
        """A priming bolus of the path volume, at the highest flow that is left beside the highest basal."""
        self.advance(second)
        if not self._delivers() or self.low_from is not None or self._busy(("prime",)):
            self.refused.append((second, frozenset({"prime"})))
            return
        self._cancel_all(second, "cancelled")
        spare = self.pump.max_rate - self._highest()
        seconds = -(-volume * DAY // spare)
        self.orders.append(Given("prime", second + 1, volume, seconds, second + 1 + seconds))

    def stop(self, second: int, seconds: int = 0) -> None:
        """`stop` (0), or `stop for`."""
        self.advance(second)
        if self.stopped and self.stop_end is None:
            if seconds:
                self.refused.append((second, frozenset({"stopped"})))
            return
        self._cancel_all(second, "cancelled")
        self._dosing_ends(second)
        self.stopped = True
        self.stop_end = second + seconds if seconds else None
        self._why = "stopped"

    def resume(self, second: int) -> None:
        """`resume`."""
        self.advance(second)
        if not self.stopped:
            self.refused.append((second, frozenset({"running"})))
            return
        self._unstop(second)

    def set_clock(self, second: int, by: int) -> None:
        """`clock set`, so much on or back, from the next second on."""
        self.advance(second)
        self._doubt(second)
        if self.powered:
            self._dosing_ends(second + 1)
        before = self.offset + second
        self.offset += by
        self.turns.move(self.waiting)
        if by > 0:
            self._skip_until(before + by, "clock")
        self.looked = max(self.looked, before) if by > 0 else before + by
        if self.powered:
            self._dosing(second + 1)

    def commit(self, second: int, rx: Rx) -> None:
        """`program commit` of another prescription."""
        self.advance(second)
        self._cancel_all(second, "cancelled")
        self._dosing_ends(second)
        self.turns.commit(second + self.offset)
        self.rx = rx
        self.looked = max(self.looked, second + self.offset)
        self._doubt(second)
        self._dosing(second)

    def low(self, second: int) -> None:
        """The low reservoir alarm begins."""
        self.advance(second)
        self.low_from = second

    def refilled(self, second: int) -> None:
        """The low reservoir alarm ends."""
        self.advance(second)
        self.low_from = None
