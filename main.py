"""Run the pump, unless the SERVICE strap (boot.py) asks for the REPL. `pump` never returns."""

if not SERVICE:
    from firmware import pump  # noqa: F401
