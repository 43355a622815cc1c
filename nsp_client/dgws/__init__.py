"""Den Gode Webservice: id cards, message headers, faults, and the token service."""
