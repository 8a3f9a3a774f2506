"""True fluid: the reservoir that the pump draws from, and the line that it presses into (F6, R20)."""

from __future__ import annotations


class Reservoir:
    """What is really in the reservoir, in integer picolitres.

    capacity_pl, volume_pl: 0 <= volume_pl <= capacity_pl. delivered_pl: what has left it through the pump.
    """

    def __init__(self, capacity_nl: int, volume_nl: int, pl_per_step: int) -> None:
        """Raises ValueError unless 0 <= volume_nl <= capacity_nl and pl_per_step is above 0."""
        if pl_per_step < 1:
            raise ValueError(f"pl_per_step = {pl_per_step}: 1 or more")
        self.capacity_pl = capacity_nl * 1000
        self.pl_per_step = pl_per_step
        self.volume_pl = 0
        self.delivered_pl = 0
        self.fill(volume_nl)

    @property
    def empty(self) -> bool:
        """Whether nothing is left."""
        return self.volume_pl == 0

    def fill(self, volume_nl: int) -> None:
        """Refill or withdraw: volume_nl is in it afterwards. Raises ValueError beyond 0..capacity."""
        if not 0 <= volume_nl * 1000 <= self.capacity_pl:
            raise ValueError(f"volume_nl = {volume_nl}: 0 to the capacity, {self.capacity_pl // 1000} nL")
        self.volume_pl = volume_nl * 1000

    def pump(self, steps: int) -> int:
        """The motor has made `steps` steps, backward if negative. Returns the picolitres that flowed out.

        The step that empties it delivers what was left; after it, none delivers anything. A step backward
        draws its volume back until the reservoir is full.
        """
        flow = steps * self.pl_per_step
        if flow > self.volume_pl:
            flow = self.volume_pl
        elif self.volume_pl - flow > self.capacity_pl:
            flow = self.volume_pl - self.capacity_pl
        self.volume_pl -= flow
        self.delivered_pl += flow
        return flow


class Line:
    """Tubing and catheter behind the pump, elastic while the outlet is blocked.

    occluded: nothing leaves it, and what is pumped in builds pressure; trapped_pl is what it holds beyond its
    rest volume. When the occlusion ends, that leaves at once (the bolus after an occlusion, R20).
    """

    COMPLIANCE_PL_PER_PA = 20  # 20 nL/kPa

    def __init__(self) -> None:
        self.trapped_pl = 0
        self._occluded = False

    @property
    def occluded(self) -> bool:
        """Whether the outlet is blocked."""
        return self._occluded

    @occluded.setter
    def occluded(self, blocked: bool) -> None:
        self._occluded = blocked
        if not blocked:
            self.trapped_pl = 0

    @property
    def pressure_pa(self) -> int:
        """Pressure above rest, in pascal."""
        return self.trapped_pl // self.COMPLIANCE_PL_PER_PA

    def push(self, flow_pl: int) -> None:
        """flow_pl came in from the pump (negative: was drawn back)."""
        if self._occluded:
            self.trapped_pl = max(0, self.trapped_pl + flow_pl)
