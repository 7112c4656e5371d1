"""Triggers, and what the scripts of one process share, in the triggerer and in a worker."""
