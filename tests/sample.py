"""The built-in picture, made once for all tests."""

from kmeans_np import sample_image

SAMPLE = sample_image()
SAMPLE.flags.writeable = False
