"""What a batch remembers on disk: journal, ledger of tasks, and the same in a store."""
