"""The ledger of every email that is to be sent, and the wire it leaves by."""
