"""What an event is: its schema, the CSV codec, bad events, identity, the ledger and a generator."""
