"""SQL text in, findings out. Never opens a connection."""
