"""What every operator does to arrays: checks, dtypes, linear primitives, sharding."""
