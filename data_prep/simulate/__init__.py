"""A seeded physical model of ZTF alert sequences, so that everything runs without a download."""
