"""How far simulated alert packets are from real ones: per class, value by value, and as pictures."""
