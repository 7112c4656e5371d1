-- What a step's output says that Elastic Jobs has no column for: as JSON, NULL where there is nothing of it.
ALTER TABLE jobs_internal.job_steps ADD output_options nvarchar(max) NULL;
GO
