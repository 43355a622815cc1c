"""SOAP envelopes, MTOM packages and the HTTP transport under them."""
