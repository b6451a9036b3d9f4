"""Global weight initialisation that leaves a block's own initialisation standing."""

from torch import nn

SCHEMES = ("normal", "kaiming", "xavier", "torch")


def initialise(network: nn.Module, scheme: str = "normal") -> None:
    """Draws the weights of all convolutions and linear layers, in place.

    normal:  N(0, 0.02) (DCGAN, Radford et al. 2015, arXiv:1511.06434; used by pix2pix and zi2zi).
    kaiming: He et al. 2015, arXiv:1502.01852.   xavier: Glorot & Bengio 2010.   torch: as torch made them.

    A block that needs weights of its own (ICNR and the like) defines ``init_weights()``; it is
    called last, so it has the last word whatever the scheme.

    Raises: ValueError if the scheme is unknown.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"generator.init={scheme}: choose one of {', '.join(SCHEMES)}.")
    for module in network.modules():
        if scheme != "torch" and isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if scheme == "normal":
                nn.init.normal_(module.weight, 0.0, 0.02)
            elif scheme == "kaiming":
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            else:
                nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if hasattr(module, "init_weights"):
            module.init_weights()  # type: ignore[operator]
