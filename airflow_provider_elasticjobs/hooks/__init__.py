"""The Airflow hook: an Airflow connection as an identity on SQL Server databases."""
