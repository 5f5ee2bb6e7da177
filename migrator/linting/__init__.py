"""`migrator lint`: finds the scripts, puts them in the order in which their tool runs them, and judges them."""
