"""Bytes to records: containers, Avro, FITS and the metadata of alert packets."""
