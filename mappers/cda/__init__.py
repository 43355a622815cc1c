"""A note as CDA R2: an optional rendering for viewers that read nothing else.

Never the master copy, and never registered under the national format code of a
shared note, which promises FHIR.

Source: cda-dk.
"""
