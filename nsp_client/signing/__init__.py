"""Signing and verifying: keys, detached XAdES over documents, XML-DSig in id cards."""
