"""What the EHR of a made-up practice would export: a folder of FHIR R4 NDJSON, the same for the same seed and day.

Nobody in it is real: names are drawn from lists, phones have exchange 555, mail domains are reserved ones (RFC 2606).
"""

from trackstat.seed.generator.export import Export, write
from trackstat.seed.generator.practices import NORTHSIDE, PRACTICES, SOUTHSIDE, PracticePlan

__all__ = ["NORTHSIDE", "PRACTICES", "SOUTHSIDE", "Export", "PracticePlan", "write"]
