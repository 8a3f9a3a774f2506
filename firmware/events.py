"""What can be logged (F12, R24): codes, severities, fields; and their packed form.

Numbers are part of the EEPROM format: a code keeps its place for ever, new ones are added at the end.
"""

import struct

from firmware.alarms import TABLE as ALARMS
from firmware.boluses import KINDS
from firmware.civil import iso
from firmware.resets import CAUSES, ENDINGS, ERRORS, TASKS
from firmware.selftest import TESTS

INFO = "info"

# code, severity, fields. A field whose name is a key of NAMES is stored as an index into that table; `drug`, too: its
# names come with library.py.
TABLE = (
    ("boot", INFO, ("cause", "firmware", "start_ms")),
    ("assumed", "medium", ("steps", "volume_nl")),
    ("missed", "medium", ("why", "volume_nl", "seconds")),
    ("stop", INFO, ("by", "seconds")),
    ("stop_end", INFO, ()),
    ("resume", INFO, ()),
    ("staged", INFO, ("digest",)),
    ("committed", INFO, ("digest", "sequence", "drug")),
    ("discarded", INFO, ()),
    ("clock_set", INFO, ("by_s",)),
    ("clock_step", "low", ("by_s",)),
    ("alarm", "high", ("alarm",)),
    ("alarm_end", INFO, ("alarm",)),
    ("write_failed", "medium", ("record",)),
    ("calibrated", INFO, ("sequence",)),
    ("refused", "low", ()),
    ("scrubbed", "low", ("region", "pages")),
    ("page_retired", "low", ("page",)),
    ("refilled", INFO, ("expected_nl", "volume_nl")),
    ("bolus", INFO, ("kind", "dose_nl", "seconds")),
    ("bolus_end", INFO, ("kind", "how", "given_nl")),
    ("bolus_denied", "low", ("kind", "reason", "dose_nl")),
    ("bolus_skipped", "low", ("index", "date", "reason", "count")),
    ("bolus_suspended", INFO, ("kind", "left_nl")),
    ("bolus_resumed", INFO, ("kind", "left_nl")),
    ("bridge", INFO, ("volume_nl", "rate_nl_day")),
    ("bridge_end", INFO, ("how", "given_nl")),
    ("confirmed", INFO, ("warnings", "digest")),
    ("residual", INFO, ("expected_nl", "measured_nl", "programmed_nl", "explanation")),
    ("level", "low", ("ledger_nl", "level_nl")),
    ("trial", INFO, ("seconds", "afterwards")),
    ("trial_end", INFO, ("how",)),
    ("score", INFO, ("pain", "spasticity", "effects")),
    ("battery_fitted", INFO, ("used_uas",)),
    ("silenced", INFO, ("alarm",)),
    ("stall", "high", ("steps", "volume_nl")),
    ("free_motion", "high", ("steps", "volume_nl")),
    ("occlusion", "high", ("found", "millivolts")),
    ("temperature", "high", ("celsius", "die_celsius")),
    ("run_ended", "medium", ("ending", "task", "error")),
    ("self_test", "high", ("test",)),
    ("guard", "high", ("check", "pulses", "allowed")),
    ("given_up", "low", ("input",)),
    ("alarms_tested", INFO, ()),
)
CODES = {row[0]: number for number, row in enumerate(TABLE)}
NAMES = {
    "cause": CAUSES,
    "why": ("start_up", "hang", "stop_alarm", "late", "no_reserve", "stop", "bolus", "stall"),
    "ending": ENDINGS,
    "task": TASKS,
    "error": ERRORS,
    "test": TESTS,
    "by": ("operator",),
    "found": ("none", "threshold", "trend", "sensor"),
    "record": ("ledger", "prescription", "calibration", "counters", "bolus", "diary"),
    "region": ("ledger", "bolus", "counters", "retired", "event_log", "fault_log"),
    "kind": KINDS,
    "how": ("done", "cancelled", "interrupted"),
    "reason": (
        "not_prescribed",
        "stopped",
        "alarm",
        "low_reservoir",
        "running",
        "bridge",
        "trial_over",
        "lockout",
        "max_boluses",
        "max_per_hour",
        "max_per_day",
        "history_full",
        "flow",
        "write_failed",
        "clock",
        "interruption",
        "late",
    ),
    "input": ("line", "staged"),
    "explanation": ("none", "spilled", "sampled", "leak", "pump", "other"),
    "afterwards": ("minimum", "stopped"),
    "alarm": [row[0] for row in ALARMS],
    "check": (
        "none",
        "counter",
        "pulses",
        "reserved",
        "silent",
        "ceiling",
        "max_per_hour",
        "max_per_day",
        "demand",
        "rate",
        "time",
        "books",
        "bolus",
        "under",
        "self",
        "start",
    ),
}
HEX = ("digest",)
_HEAD = "<HHIB"  # code, day, second, hundredth
_HEAD_SIZE = 9


def is_fault(code, fields):
    """Whether an event belongs in the fault log: medium or high severity."""
    severity = TABLE[CODES[code]][1]
    if code == "alarm":
        severity = ALARMS[fields["alarm"]][1]
    return severity in ("medium", "high")


def pack(code, fields, day, second, hundredth):
    """Payload of an event page: fields as a dict of integers."""
    number = CODES[code]
    values = [fields[name] for name in TABLE[number][2]]
    return struct.pack(_HEAD, number, day, second, hundredth) + struct.pack("<%dq" % len(values), *values)


def unpack(payload):
    """(code, severity, local time text, {field: value}) of an event payload. Raises ValueError if it is none."""
    number, day, second, hundredth = struct.unpack(_HEAD, payload[:_HEAD_SIZE])
    if number >= len(TABLE):
        raise ValueError("event code %d: 0 to %d" % (number, len(TABLE) - 1))
    code, severity, names = TABLE[number]
    values = struct.unpack("<%dq" % len(names), payload[_HEAD_SIZE : _HEAD_SIZE + 8 * len(names)])
    fields = {}
    for index, name in enumerate(names):
        value = values[index]
        if name in NAMES:
            table = NAMES[name]
            fields[name] = table[value] if 0 <= value < len(table) else "unknown_%d" % value
        else:
            fields[name] = "%08x" % value if name in HEX else value
    if "alarm" in fields and code == "alarm":
        severity = _priority(fields["alarm"], severity)
    return code, severity, "%s.%02d" % (iso(day, second), hundredth), fields


def _priority(alarm, otherwise):
    for name, priority, _, _ in ALARMS:
        if name == alarm:
            return priority
    return otherwise


def text(sequence, payload):
    """One log line: seq rtc severity code field=value ..."""
    code, severity, rtc, fields = unpack(payload)
    words = ["%d" % sequence, rtc, severity, code]
    for name in TABLE[CODES[code]][2]:
        words.append("%s=%s" % (name, fields[name]))
    return " ".join(words)
