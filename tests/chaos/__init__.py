"""Two servers, PostgreSQL with a standby and six agents under a seeded killer: ``python -m chaos.run --help``."""
