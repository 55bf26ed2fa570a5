"""Where images come from, which ones share a batch, and how they reach the device."""
