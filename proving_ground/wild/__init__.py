"""Mistakes of public projects, made again from their descriptions, each with the module as it is mended."""
