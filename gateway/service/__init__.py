"""What the gateway does: each service joins the pure steps of ``pipeline`` with the stores.

A service opens its transactions, calls steps and stores in order, and knows no
HTTP. Handlers, jobs and commands call services.
"""
