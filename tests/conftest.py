"""What all tests share: the sandbox's fixtures."""

from __future__ import annotations

pytest_plugins = ["airflow_provider_elasticjobs.sandbox.pytest_plugin"]
