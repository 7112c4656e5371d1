"""What this package does inside Airflow's scheduler."""
