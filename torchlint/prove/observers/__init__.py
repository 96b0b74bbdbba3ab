"""The observers: each sees one thing that torch does, and says at which line of the program."""
