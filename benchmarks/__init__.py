"""Speed of `lib` beside NumPy, JAX, PyTorch and SciPy; see README.md."""
