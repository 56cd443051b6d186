"""How good who-picked-up is, measured on labelled files."""
