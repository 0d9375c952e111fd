"""Patients and their visits, brought in from the practice's EHR and kept in step with it.

Every way in (today a folder of FHIR R4 files) ends in the staged records of `records`; from there on there is one path:
`staging` copies them into temporary tables and `apply` moves them, set by set, into the practice's tables.
"""
