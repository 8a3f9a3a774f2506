"""What has to happen before an alarm that stops delivery can be cleared, in the words of whoever has to do it (F11).

The full list is in docs/CONSOLE.md. Only the console needs it.
"""

from firmware import alarms

_ENDS = {
    "prescription_damaged": "`program commit`",
    "calibration_damaged": "`calibrate commit`",
    "ledger_damaged": "`calibrate commit`",
    "eeprom_dead": "a write that the EEPROM takes, or a start with one that answers,",
    "eeprom_format": "`calibrate commit`",
    "other_pump": "`calibrate commit`",
    "reservoir_empty": "`refill`",
    "end_of_service": "`service battery`",
    "battery_depleted": "a charged battery or `service battery`",
}


def stopping(found):
    """The active alarms that stop delivery, by comma; with each whose cause is still there, what ends it. found:
    alarms.Alarms."""
    texts = []
    for alarm, row in enumerate(alarms.TABLE):
        if row[2] == alarms.STOP and found.active & 1 << alarm:
            code = row[0]
            if found.present & 1 << alarm:
                code += " (%s ends its cause)" % _ENDS[code] if code in _ENDS else " (its cause is still there)"
            texts.append(code)
    return ", ".join(texts)
