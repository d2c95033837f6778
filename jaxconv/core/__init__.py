"""What every operator does to arrays: checks, dtypes, linear and bilinear primitives, sharding, dot tests."""
