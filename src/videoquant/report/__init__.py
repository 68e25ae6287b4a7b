"""The results of a comparison: a table, JSON, CSV, and one HTML page with its plots."""
