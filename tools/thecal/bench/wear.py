"""How fast the ledger wears the EEPROM, on the twin."""

from __future__ import annotations

from thecal.bench.context import Context, Figures
from thecal.bench.rig import S, continuous
from thecal.bench.twin_run import run_twin
from thecal.programming import firmware

CYCLES_PER_PAGE = 1_000_000  # AT24C256 data sheets, 25 degC and 5 V; it is less when hot
_DAYS_PER_YEAR = 365.25
_RATES = {"50ul": "50 uL/day", "1ml": "1 mL/day", "24ml": "24 mL/day"}
_HOUR_NS = 3_600 * S


def measure(context: Context) -> Figures:
    """The keys ledger_*."""
    layout = firmware("layout")
    pages = [first + page for first in layout.LEDGER_FIRSTS for page in range(layout.LEDGER_PAGES)]  # two copies
    hours = context.count(12, 3)
    figures: Figures = {}
    for number, (name, rate) in enumerate(_RATES.items(), 1):
        bench = run_twin(continuous(rate), hours * _HOUR_NS).bench
        writes = sum(bench.eeprom.wear[page] for page in pages) * 24 / hours
        figures[f"ledger_writes_per_day_{name}"] = writes
        figures[f"ledger_life_years_{name}"] = len(pages) * CYCLES_PER_PAGE / writes / _DAYS_PER_YEAR
        context.progress(number / len(_RATES))
    return figures
