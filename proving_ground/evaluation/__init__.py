"""Planted mistakes of metrics and trainings, at several strengths, and the correct ones that no check may accuse."""
