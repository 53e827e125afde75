"""One mistake a file, in at least three architectures; `DEFECT` is what is found."""
