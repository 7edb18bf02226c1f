//! The only door outside: clock, randomness, files, network, threads.
