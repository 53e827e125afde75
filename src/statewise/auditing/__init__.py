"""Is a module free of the silent bugs of hidden state, padding, batches and causality?"""
