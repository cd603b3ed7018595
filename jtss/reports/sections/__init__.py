"""The sections of a report: each has its scores, as plain values, and its piece of the page."""
