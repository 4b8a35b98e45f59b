"""One short idempotent step for each busy state: ask the back-end for the verb that is owed, say what came of it."""
