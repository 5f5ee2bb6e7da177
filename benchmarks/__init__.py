"""The figures the README quotes: one command each, measured side by side in one run."""
