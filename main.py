"""Run the pump, unless the SERVICE strap (boot.py) asks for the REPL. `pump` never returns."""

if not SERVICE:  # pyright: ignore[reportUndefinedVariable] - boot.py, which shares this namespace, sets it
    from firmware import pump  # noqa: F401
