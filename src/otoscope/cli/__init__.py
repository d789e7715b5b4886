"""The command line: each verb parses, calls and prints. Heavy imports happen where they are used."""
