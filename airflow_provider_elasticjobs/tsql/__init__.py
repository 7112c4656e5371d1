"""T-SQL below Airflow: batches, variables, literals, error classes, and one script run on one connection."""
