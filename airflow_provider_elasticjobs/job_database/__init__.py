"""The job database: schema, definitions, the writer and the reader of executions (reference sections 2 and 3)."""
