DROP PROCEDURE jobs_internal.cancel_execution;
GO
-- As in 009: CREATE PROCEDURE jobs_internal.cancel_execution
GO
