"""How often do the intervals hold the truth, and how often is a model called ready that is not? Draws of data whose truth is known."""
