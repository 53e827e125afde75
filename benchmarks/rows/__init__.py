"""One file here is one row of the table: a module with a `ROW`. The runner finds it by itself."""
