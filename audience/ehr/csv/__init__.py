"""CSV files of systems without FHIR: another way in that ends in the same staged records.

* `fields.KINDS`: the sorts of files, their fields with labels, which are required, and the usual headings.
* `mapping.parse`, `mapping.save`: a practice's own column mapping, checked (`Wrong.problems`) and kept with its
  connection; `mapping.DATES`, `DECIMALS`, `ENCODINGS`, `SEPARATORS` and `words.MEANINGS` are its choices.
* `guess.guess(files)`: a mapping proposed for files, with what is not certain about it in sentences.
* `read.DropReader`: the `reading.Reader`, for `run.import_export` and `dry_run.dry_run`.
"""
