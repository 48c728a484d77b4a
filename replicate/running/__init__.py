"""Running the study: a process a run, records, and the machine they were made on."""
