"""Pages for compliance staff; each look is itself audited."""
