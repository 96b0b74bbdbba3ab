"""How the tables of what torch does are measured: every cell comes from running the installed torch."""
