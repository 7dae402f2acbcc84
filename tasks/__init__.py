"""The stages of dvc.yaml: read files, call vd_core, write files."""
