"""The checks, one file each; a file that is added is found, and its docstring is its page."""
