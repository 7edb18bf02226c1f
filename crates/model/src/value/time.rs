//! Timestamps, dates, times of day and durations: text forms, Cassandra's full ranges.
