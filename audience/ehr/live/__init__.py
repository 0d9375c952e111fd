"""Fetching exports from where they are: a FHIR server, or a folder the EHR drops them into. See docs/ehr.md."""
