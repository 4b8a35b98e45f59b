"""One short idempotent step for each busy state of a bay: look at Heat, do what is missing, say what was found.

Any worker may take any step at any time, after any other died in the middle of it. So each step begins with a
look; what is about to be asked of Heat is in the row first; names and tags in Heat are made from ids.
"""
