"""MedCom Shared Notes 1.0.0: the FHIR document of a note, out and in."""
