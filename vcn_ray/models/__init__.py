"""Face models: packs (detector, face-ID network, licence, SHA-256) and ONNX weights as trainable torch modules."""
