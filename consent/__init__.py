"""May this note be shared, and with whom? The two decision points and their facts.

``publication`` decides what is offered to a destination, ``disclosure`` what a
reader may see now. Both are ordered rows over the records of ``model``; the
facts come through the Protocols of ``sources``.
"""
