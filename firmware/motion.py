"""Motion evidence (F11): does the rotor follow the steps, and does the driver report a fault?

The rotor gives one pulse for every `steps_per_index` steps, here N. While the motor follows, the balance "pulses on
STEP less N for each index" stays within N - 1 of itself, wherever the rotor stood when it was powered. A step that the
motor does not follow raises the balance for good, an index that no step explains lowers it. So:

- Stall: the balance has risen 2 N above its lowest value: two indices are missing. A motor that stands still is found
  when 2 N steps are lost, and those of one second at most; one that loses a step now and then when they have added up
  to between N + 1 and 2 N. Nothing below N lost steps is a stall, so that no phase and no way of stopping is one.
- Motion without steps (free flow, R19; a rotor that is turned): it has fallen 2 N below its highest value. That is flow
  above what was commanded: the alarm is `guard`. It is looked for while the motor is unpowered too.

A counter of the rotor that does not answer is a stall, too, for as long as it does not.

What is lost when a stall is found was counted as delivered, and stays so: the ledger never counts too little. It is
logged (event `stall`) and counted as missed.

The phase of the rotor survives nothing. Whenever the motor is powered the balance begins anew: steps lost before are
forgotten, and the rotor may stand anywhere. Each start may therefore hide up to 2 N lost steps, and no more.
"""

from micropython import const

from firmware import alarms, missed
from firmware.dosing import ON

DWELL = const(2)  # indices that must be missing, or be too many
_COUNT_MASK = 0xFFFFFFFF  # the counters wrap


class Balance:
    """Steps held against indices, in steps."""

    def __init__(self):
        self.begin()

    def begin(self):
        """Where the rotor stands now is not known."""
        self._now = self._lowest = self._highest = 0

    def count(self, steps, indices, steps_per_index):
        """So many more of both."""
        now = self._now + steps - indices * steps_per_index
        self._now = now
        self._lowest = min(self._lowest, now)
        self._highest = max(self._highest, now)

    @property
    def lost(self):
        """Steps that no motion shows for; below the steps of one index if nothing is lost."""
        return self._now - self._lowest

    @property
    def surplus(self):
        """Motion that no steps show for, in steps; below the steps of one index if there is none."""
        return self._highest - self._now


class Motion:
    """Watches the motor of one pump. indices: pulses of the rotor since the start."""

    def __init__(self, app):
        """app: app.App."""
        self._app = app
        self._balance = Balance()
        self._begun = False
        self._on = False
        self._pulses = 0
        self._size = 0  # steps per index that the balance is reckoned with
        self._still_s = 0  # since the last index, or since the balance began
        self.indices = 0

    def powered(self):
        """The motor has just been powered: what its rotor did before says nothing any more."""
        self._begun = False

    def watch(self):
        """Once a frame, when DRIVE is what the mode wants."""
        app = self._app
        if app.board.driver_fault():
            app.alarms.raise_(alarms.DRIVER_FAULT)
        else:
            app.alarms.gone(alarms.DRIVER_FAULT)
        values = app.records.calibration
        if values is None:
            return  # it never doses
        try:
            pulses = app.board.counter.read()  # before the rotor, which then cannot be behind them
        except OSError:
            self._begun = False  # the guard, which reads it in every frame too, cuts the motor's power for it
            return
        try:
            indices = app.board.rotor.read()
        except OSError:  # no motion is shown any more: the same as a rotor that stands still
            self._begun = False
            app.alarms.raise_(alarms.STALL)
            return
        app.alarms.gone(alarms.STALL)
        on = app.dosing.mode == ON
        size = values.steps_per_index
        steps, turned = pulses - self._pulses, indices - self.indices
        self._pulses = pulses
        self.indices = indices
        if not self._begun or on != self._on or size != self._size:
            self._begin(on, size)
            return
        self._still_s = 0 if turned else self._still_s + 1
        if not (steps or turned):
            return  # most frames of a low rate
        # While DRIVE is low, nothing follows what is left of a train.
        self._balance.count(steps & _COUNT_MASK if on else 0, turned & _COUNT_MASK, size)
        if self._balance.lost >= DWELL * size:
            self._found("stall", alarms.STALL, self._balance.lost)
        elif self._balance.surplus >= DWELL * size:
            self._found("free_motion", alarms.GUARD, self._balance.surplus)

    def _begin(self, on, size):
        self._begun = True
        self._on = on
        self._size = size
        self._still_s = 0
        self._balance.begin()

    def _found(self, code, alarm, steps):
        """Stop, with what is in doubt in the log. Whether the cause is gone shows only when the motor runs again: the
        operator decides."""
        app = self._app
        picolitres = steps * app.cascade.pl_per_step
        app.log.log(code, steps=steps, volume_nl=picolitres // 1_000)
        if alarm == alarms.STALL:
            app.missed.add(missed.STALL, picolitres, self._still_s)
            app.missed.report()
        app.alarms.raise_(alarm)
        app.alarms.gone(alarm)
        self._begun = False
