"""Who does the work: worker processes and their supervisor, other executors, a cluster, one shard of many."""
