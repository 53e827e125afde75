"""Defects and correct modules written by somebody who had seen neither the checks nor the proving ground, scored once when both stood."""
