"""`mmcli align`: one pair, or many from a list."""
