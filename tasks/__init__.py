"""How: one file per concern, one deploy function each."""
