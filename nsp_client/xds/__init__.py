"""IHE XDS.b as document source, consumer, registry and repository; one module a transaction."""
