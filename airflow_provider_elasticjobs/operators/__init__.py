"""Operators: what a task of an elastic job declares; the work itself is below, and knows nothing of Airflow."""
