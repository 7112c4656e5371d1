"""Databases from a catalog of tenants, each with values of its own, and databases by pattern.

The first step fills the catalog, a table that a fleet usually has somewhere. The second asks it which tenants pay at
least a given price; what else the query gives of a tenant, its number and its price, are parameters of the tenant's
script. The third goes to all databases whose names fit a pattern. A value reaches a script as a complete literal,
``$(tenant)``, or as a real parameter, ``@tenant``; it is never pasted into it.
"""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

from airflow.sdk import DAG, Param

from airflow_provider_elasticjobs import ElasticJob, JobStep, SqlDatabase, SqlQueryTargets, TargetGroup

TENANTS = "tenants.database.windows.net"
ARCHIVE = "archive.database.windows.net"

FILL_THE_CATALOG = """
IF OBJECT_ID('dbo.Tenants') IS NULL
    CREATE TABLE dbo.Tenants (tenant int NOT NULL PRIMARY KEY, server_name nvarchar(256) NOT NULL,
        database_name nvarchar(128) NOT NULL, name nvarchar(100) NOT NULL, price decimal(9, 2) NOT NULL);
GO
INSERT INTO dbo.Tenants (tenant, server_name, database_name, name, price)
SELECT v.tenant, @server, v.database_name, v.name, v.price
FROM (VALUES (1, N'database1', N'Adventure Works', 10.00), (2, N'database2', N'O''Hara & Sons', 20.50),
    (3, N'database3', N'Fabrikam', 30.00)) AS v (tenant, database_name, name, price)
WHERE NOT EXISTS (SELECT * FROM dbo.Tenants AS t WHERE t.tenant = v.tenant);
"""

PAYING = """
SELECT server_name, database_name, tenant, name, price FROM dbo.Tenants WHERE price >= @least
"""

CHARGE = """
IF OBJECT_ID('dbo.Invoices') IS NULL
    CREATE TABLE dbo.Invoices (tenant int NOT NULL, customer nvarchar(100) NOT NULL, amount decimal(9, 2) NOT NULL,
        month date NOT NULL);
GO
INSERT INTO dbo.Invoices (tenant, customer, amount, month)
SELECT @tenant, @name, @price, @month
WHERE NOT EXISTS (SELECT * FROM dbo.Invoices WHERE tenant = @tenant AND month = @month);
PRINT N'Charged for $(month)';
"""

LABEL = """
IF OBJECT_ID('dbo.Label') IS NULL CREATE TABLE dbo.Label (text nvarchar(50) NOT NULL);
GO
DELETE FROM dbo.Label;
INSERT INTO dbo.Label (text) VALUES ($(text));
"""

paying = TargetGroup(
    "Paying tenants",
    [
        SqlQueryTargets(
            PAYING, server_name=ARCHIVE, database_name="history1", parameters={"least": "{{ params.least_price }}"}
        )
    ],
)
some = TargetGroup(
    "Databases by pattern",
    [
        SqlDatabase(TENANTS, "database1?", parameters={"text": "a database of two digits"}),
        SqlDatabase(TENANTS, "database1", parameters={"text": "it's the first"}),
        SqlDatabase(TENANTS, "*11", exclude=True),
    ],
)

with DAG(
    "example_targets",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_tasks=1_000,
    params={"least_price": Param("15", type="string", description="Tenants that pay less are left out")},
    tags=["elasticjobs", "example"],
    doc_md=__doc__,
):
    ElasticJob(
        "Targets",
        steps=[
            JobStep(
                "catalog",
                TargetGroup("Catalog", [SqlDatabase(ARCHIVE, "history1")]),
                command=FILL_THE_CATALOG,
                parameters={"server": TENANTS},
                bind_parameters=True,
            ),
            JobStep(
                "charge",
                paying,
                command=CHARGE,
                parameters={"month": datetime(2026, 1, 1, tzinfo=timezone.utc).date(), "price": Decimal(0)},
                bind_parameters=True,
            ),
            JobStep("label", some, command=LABEL),
        ],
        tier="JA100",
    )
