"""What the guard compares: names and numbers of its checks (F11). A number keeps its place for ever: the log has it.

| check | trips when |
|---|---|
| counter | the pulse counter does not answer |
| pulses | there were more pulses than the ledger has counted as commanded |
| reserved | more is counted than the newest acknowledged record allows: none, if delivery does not run in it |
| silent | steps that were commanded two ticks ago have not come |
| ceiling | in any span of time, more flowed than the highest flow |
| max_per_hour, max_per_day | more flowed than the rolling limits allow; priming and a bridge do not count |
| demand | pulses, steps on their way, steps that wait and the remainder are more than what was demanded |
| rate | the rate of the second that begins, or its flow, is not what the prescription says; it doses though stopped |
| time | local time is not its own, or frames come faster than seconds |
| books | the volume of a step, or the totals of two records, do not fit together; it runs without an order |
| bolus | a bolus begins that the prescription does not know |
| under | for a minute, less is demanded than the prescription says |
| self | the guard's own state has changed by itself |
| start | before the first second DRIVE or STEP is high, or there were pulses |
"""

CHECKS = (
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
)
(
    NONE,
    COUNTER,
    PULSES,
    RESERVED,
    SILENT,
    CEILING,
    HOUR,
    DAY,
    DEMAND,
    RATE,
    TIME,
    BOOKS,
    BOLUS,
    UNDER,
    SELF,
    START,
) = range(len(CHECKS))
