"""Flag text becomes values: pure functions that open, stat and create nothing."""
