"""What is tested with a real Keystone, part by part; `test_keystone.py` runs them all with one."""
