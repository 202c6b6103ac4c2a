"""One file per concern, with a deploy function for each stage."""
