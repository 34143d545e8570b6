"""Books the paid orders of the day."""
