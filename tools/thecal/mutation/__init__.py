"""How well the tests of the modules that watch the dose do their work: every branch run, every small change noticed."""
