"""Task groups: whole jobs."""
