"""Sensors: waiting for a job's run."""
