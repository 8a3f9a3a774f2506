"""The fluid path from reservoir to catheter tip (F7). Its volumes are calibration, versioned, and shown wherever a dose
rests on them: a tubing volume of 0.199 instead of 0.140 mL, buried in a programmer, was a class I recall in 2016."""

from firmware import units


def volume_nl(calibration):
    """What the path holds, nL, floored; at most 30 mL."""
    return calibration.tubing_nl + _catheter_nl(calibration)


def _catheter_nl(calibration):
    return calibration.catheter_mm * calibration.catheter_pl_per_mm // 1_000


def text(records):
    """The volume and what it is made of, with the version of the calibration. records: records.Records."""
    values = records.calibration
    return "%s: tubing %s, catheter %s (%d mm of %s/mm); calibration version %d" % (
        units.volume_text(volume_nl(values)),
        units.volume_text(values.tubing_nl),
        units.volume_text(_catheter_nl(values)),
        values.catheter_mm,
        units.decimal(values.catheter_pl_per_mm, 1_000_000, 6) + " uL",
        records.calibrations.sequence,
    )
