"""How fast is it, beside what a reader would use otherwise? Run with `make bench`."""
