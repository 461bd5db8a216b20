"""What the measurements stand on: workloads, rounds with a clean end, statistics, results, tables and charts."""
