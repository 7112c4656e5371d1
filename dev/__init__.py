"""Tools for working on the project: installation, a local Airflow, the demo. Not part of the package."""
