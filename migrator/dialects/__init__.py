"""What has to be asked of each server family: sessions, locks, blockers, limits."""
