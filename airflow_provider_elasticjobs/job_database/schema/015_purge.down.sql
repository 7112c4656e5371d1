DROP PROCEDURE jobs_internal.purge_runs;
GO
-- As in 010: CREATE PROCEDURE jobs_internal.purge_runs
GO
