"""Sources of images, batches, and reading of images to the device."""
