"""A/B tests: how large a sample they take, said before; and what is found in it."""
