"""The T-SQL engine of the sandbox: batches in, result sets, messages and errors out. No sockets, no TDS."""
