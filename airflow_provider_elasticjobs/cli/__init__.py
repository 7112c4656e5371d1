"""The commands ``airflow elasticjobs ...``."""
