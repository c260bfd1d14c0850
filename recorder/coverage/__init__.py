"""The coverage ledger: recordings and gaps explain every second of a stream (`ledger`), kept whole by the recorder's
worker (`repair`), summed by local day for reports (`days`, `report`)."""
