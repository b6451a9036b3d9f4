"""Processes, files, devices, logs: what fontgan runs on."""
