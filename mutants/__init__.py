"""The tests are tested: bugs are planted, one at a time, in a copy of the tree, and the tests named for each must fail.

`make mutants` plants them all; `planted/*.toml` is the list. A bug that no test notices is reported, and is a failure
of the tests. Nothing here is imported by anything but tests.
"""
