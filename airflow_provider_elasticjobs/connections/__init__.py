"""From a connection's fields to an open ``pyodbc`` connection: driver, settings, connection string, errors."""
