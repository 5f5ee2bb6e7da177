"""What each database family makes of the same operation."""
