-- Which tables a tenant has. The log of each database's task shows the number of rows.
SELECT DB_NAME() AS database_name, s.name AS schema_name, t.name AS table_name
FROM sys.tables AS t
INNER JOIN sys.schemas AS s ON s.schema_id = t.schema_id
ORDER BY s.name, t.name;
