"""What statements of PostgreSQL do, what they lock, and for how long."""
