"""The flow engine: one walk over a unit, which tells the rules what happened and what was known."""
