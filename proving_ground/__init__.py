"""Modules with a planted defect beside their mended twins, and modules that are correct: what the audit is measured on.

They are written as tutorials and papers write them, each before the check that meets it. `defects` and `correct` hold one file a kind;
a file that is added is found.
"""
