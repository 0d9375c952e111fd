"""FHIR R4: resources as an EHR's bulk export or its examples bring them, mapped to staged records."""
