-- One pass of a target's row from Created to its end, however many attempts and processes that takes: the key of the
-- marker that the transaction of a step leaves in the target. It is renewed when the row begins anew.
ALTER TABLE jobs_internal.executions ADD work_id uniqueidentifier NULL;
GO
