"""Running one script on one database, with its lock, attempts, deadlines and rows: the same code in both modes."""
