"""Everything on one machine: ``gateway demo`` and the small commands beside it."""
