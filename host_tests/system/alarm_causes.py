"""What brings each alarm about, and what takes its cause away, for the matrix of alarms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alarm_board import CONFIG, FULL_MV
from alarm_rig import STATES, US, Pump

from firmware import alarms

_PATIENCE_S = 130


@dataclass(frozen=True)
class Cause:
    """number: of the alarm. physical: something happens to the pump, and the firmware finds it; otherwise the alarm is
    raised where its watcher would. together: alarms that come with it; remain: those that may outlast it."""

    number: int
    begin: Callable[[Pump], object] | None = None
    end: Callable[[Pump], object] | None = None
    together: frozenset[str] = frozenset()
    remain: frozenset[str] = frozenset()
    states: tuple[str, ...] = STATES  # in which it can be active

    @property
    def physical(self) -> bool:
        """Whether it happens to the pump."""
        return self.begin is not None

    def never_comes(self, pump: Pump) -> None:
        """In another state: what would bring it about does not; raised all the same, it ends at once."""
        (self.begin or self.come)(pump)
        pump.run(5)
        assert not pump.active(), pump.name

    def come(self, pump: Pump) -> int:
        """The cause is there, and was found. Returns when, in true us."""
        if self.begin is None:
            pump.app.alarms.raise_(self.number)
            return pump.board.now_us
        found: list[int] = []
        raise_ = pump.app.alarms.raise_

        def note(number: int) -> None:
            if number == self.number:
                found.append(pump.board.now_us)
            raise_(number)

        self.begin(pump)
        pump.app.alarms.raise_ = note
        end = pump.board.now_us + _PATIENCE_S * US
        while not found:
            assert pump.board.now_us < end, f"{pump.name}: not found"
            pump.app.turn()
        del pump.app.alarms.raise_
        return found[0]

    def go(self, pump: Pump) -> None:
        """The cause is gone, and that was found."""
        if self.end is None:
            pump.app.alarms.gone(self.number)
            return
        self.end(pump)
        end = pump.board.now_us + _PATIENCE_S * US
        while pump.app.alarms.present & 1 << self.number:
            assert pump.board.now_us < end, f"{pump.name}: still there"
            pump.app.turn()


def _drain(pump: Pump, left_nl: int) -> None:
    """Ledger and fluid agree that so much is left."""
    pump.app.ledger.refill(left_nl)
    pump.board.fluid_pl = pump.board.train.steps() * CONFIG.pl_per_step + left_nl * 1_000


def _refill(pump: Pump) -> None:
    full = CONFIG.reservoir_nl
    pump.board.fluid_pl = pump.board.train.steps() * CONFIG.pl_per_step + full * 1_000
    pump.say(f"refill {full} nL because other")


def _refuse_writes(pump: Pump) -> None:
    pump.board.refuse_writes()
    pump.app.must_record = True


def _service(pump: Pump) -> None:
    pump.board.battery_mv = FULL_MV + 300
    pump.say("service battery")


def _eri(seconds_ago: int) -> Callable[[Pump], None]:
    def come(pump: Pump) -> None:
        pump.app.records.counters.eri_at = pump.app.therapy.now() - seconds_ago
        pump.app.battery.seal()

    return come


def _set_clock(pump: Pump) -> None:
    pump.board.revive_rtc()
    pump.say("clock set " + pump.app.operations.now_text())


def _leave_staged(pump: Pump) -> None:
    """Five minutes ago."""
    pump.say("calibrate set tubing_nl 210000")
    for part in pump.app.parts._parts:
        if part.is_needed():
            part.used_at = pump.board.ticks_add(part.used_at, -300_000)


_SERVICE = frozenset({"replace_soon"})
_BEGIN_END = {
    "driver_fault": (lambda pump: setattr(pump.board, "diag", True), lambda pump: setattr(pump.board, "diag", False)),
    "occlusion": (
        lambda pump: setattr(pump.board, "pressure_mv", 1_300),
        lambda pump: setattr(pump.board, "pressure_mv", 500),
    ),
    "over_temperature": (lambda pump: pump.board.heat(4 * 56), lambda pump: pump.board.heat(4 * 49)),
    "reservoir_empty": (lambda pump: _drain(pump, 0), _refill),
    "low_reservoir": (lambda pump: _drain(pump, CONFIG.low_reservoir_nl), _refill),
    # Only `resume` ends it: the end is where the operator gives it.
    "stopped_48h": (lambda pump: pump.app.operations.count_stop(48 * 3_600 - 3), lambda pump: pump.say("resume")),
    "eeprom_dead": (_refuse_writes, lambda pump: pump.board.take_writes()),
    "rtc_lost": (lambda pump: pump.board.halt_rtc(), _set_clock),
    "level_disagrees": (
        lambda pump: setattr(pump.board, "level_mv", 1_500),
        lambda pump: setattr(pump.board, "level_mv", -1),
    ),
    "battery_low": (lambda pump: setattr(pump.board, "battery_mv", 3_050), _service),
    "battery_depleted": (lambda pump: setattr(pump.board, "battery_mv", 0), _service),
    "replace_soon": (_eri(0), _service),
    "end_of_service": (_eri(CONFIG.eri_to_eos_s), _service),
    "button_held": (
        lambda pump: setattr(pump.board, "held", True),
        lambda pump: setattr(pump.board, "held", False),
    ),
    "input_pending": (_leave_staged, lambda pump: pump.say("calibrate discard")),
}
_TOGETHER = {
    "reservoir_empty": frozenset({"low_reservoir"}),
    "battery_low": _SERVICE,
    "battery_depleted": frozenset({"battery_low", "replace_soon"}),
    "end_of_service": _SERVICE,
}
_STATES = {"under_delivery": ("running",), "stopped_48h": ("stopped", "safe")}
CAUSES = {
    row[0]: Cause(
        number,
        *_BEGIN_END.get(row[0], (None, None)),
        together=_TOGETHER.get(row[0], frozenset()),
        states=_STATES.get(row[0], STATES),
    )
    for number, row in enumerate(alarms.TABLE)
}
