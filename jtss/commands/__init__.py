"""One file a verb: options and composition; what all share is in `common`, `cache` and `main`."""
