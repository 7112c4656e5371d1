ALTER TABLE jobs_internal.job_steps DROP COLUMN output_options;
GO
