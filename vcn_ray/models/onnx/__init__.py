"""Face-ID networks in ONNX files as trainable torch modules."""
