"""Are the promises kept? Folders mirror `src/statewise`; what concerns the whole house lies here at the top."""
