"""A trained generator for other programs: an ONNX file, and a page that draws with it in the visitor's browser."""
