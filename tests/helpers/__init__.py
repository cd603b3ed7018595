"""What tests share: made alerts, sequences, runs, and programs run in this process or in one of their own."""
