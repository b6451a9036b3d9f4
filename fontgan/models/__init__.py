"""Networks: the U-Net generator, its swappable parts, and the discriminators."""
