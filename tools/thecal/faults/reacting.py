"""What each alarm is and does, from the design (docs/CONSOLE.md) and not read from the firmware: what is judged by this
must not be excused by a firmware whose own table is wrong."""

HIGH, MEDIUM, LOW = "high", "medium", "low"
STOP, LOWEST_RATE, NO_BOLUS, UNCHANGED = "stop", "lowest rate", "no bolus", "unchanged"

# code: priority, delivery, whether it survives a reset
TABLE = {
    "prescription_damaged": (HIGH, STOP, True),
    "calibration_damaged": (HIGH, STOP, True),
    "ledger_damaged": (HIGH, STOP, True),
    "eeprom_dead": (HIGH, STOP, False),
    "rtc_lost": (HIGH, LOWEST_RATE, True),
    "stopped_48h": (HIGH, UNCHANGED, False),
    "eeprom_format": (HIGH, STOP, True),
    "other_pump": (HIGH, STOP, True),
    "reservoir_empty": (HIGH, STOP, True),
    "low_reservoir": (MEDIUM, NO_BOLUS, True),
    "level_disagrees": (MEDIUM, UNCHANGED, False),
    "end_of_service": (HIGH, STOP, True),
    "battery_depleted": (HIGH, STOP, True),
    "replace_soon": (MEDIUM, UNCHANGED, False),
    "battery_low": (MEDIUM, UNCHANGED, False),
    "bolus_denied": (LOW, UNCHANGED, False),
    "refill_due": (LOW, UNCHANGED, False),
    "stall": (HIGH, STOP, True),
    "driver_fault": (HIGH, STOP, True),
    "guard": (HIGH, STOP, True),
    "occlusion": (HIGH, STOP, True),
    "reset_loop": (HIGH, STOP, True),
    "over_temperature": (HIGH, STOP, True),
    "self_test_failed": (HIGH, STOP, True),
    "alarm_repeated": (HIGH, STOP, True),
    "under_delivery": (MEDIUM, UNCHANGED, False),
    "button_held": (LOW, UNCHANGED, False),
    "input_pending": (MEDIUM, UNCHANGED, False),
}
