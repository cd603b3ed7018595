"""Models as files for programs without jtss, ONNX and StableHLO: raw stamps and metadata in, probabilities out."""
