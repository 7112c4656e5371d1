"""A local SQL Server stand-in that speaks TDS, for trying, demonstrating and testing.

:class:`.server.Sandbox` runs in this process, :class:`.process.SandboxProcess` in one of its own, and
``python -m airflow_provider_elasticjobs.sandbox`` from a shell. :mod:`.client` reaches it with Microsoft's driver,
:mod:`.faults` and :mod:`.control` say what it can be told, :mod:`.certificate` how a client verifies it.
"""
