"""How the reference pages are written: from the code, and from examples that are really run."""
