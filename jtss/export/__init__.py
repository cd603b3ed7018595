"""Models as files that programs without jtss load, ONNX and StableHLO: raw stamps and metadata in, probabilities out."""
