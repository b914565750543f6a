"""Import a checkpoint pair of the authors' code as a new version of a product.

Widths are read from the tensors; images are BGR, resized bilinearly, as in the authors' code. No
images are set aside, so 'draem calibrate' needs --images. The next step is 'draem build'.
"""

import argparse
import logging
from pathlib import Path

from edge.base.text import printable
from edge.commands.arguments import add_settings, parse_size, product_name, settings_of

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rec", type=Path, metavar="REC.pckl", help="the reconstructive network")
    parser.add_argument("seg", type=Path, metavar="SEG.pckl", help="the discriminative network")
    parser.add_argument(
        "--input", type=parse_size, default=(256, 256), metavar="HxW", help="default 256"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="where weights are kept"
    )
    add_settings(parser, "product", "products")


def main(options: argparse.Namespace) -> int:
    import torch

    from edge.vision.fit import Fit
    from trainer.network.pixels.published_weights import load_pair
    from trainer.simulation.textures import procedural
    from trainer.training.save_product import Trained, save_product

    settings = settings_of(options)
    name = product_name(settings)
    height, width = options.input
    model = load_pair(options.rec, options.seg, height, width)
    # Without good frames the golden check uses textures, which reach every layer.
    made = procedural(8, height, width, torch.Generator().manual_seed(0))
    good = (made * 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    trained = Trained(
        model=model,
        fit=Fit(height, width, "linear"),
        good=good,
        textures=procedural,
        seed=0,
        sources={"images": []},
        origin={
            "imported_rec": printable(options.rec.name),
            "imported_seg": printable(options.seg.name),
        },
    )
    product = save_product(trained, settings.products, name, options.runs)
    log.info(
        "%s version %s is imported (widths %d/%d): next 'draem build --product %s'",
        *(product.name, product.version, model.spec.rec_width, model.spec.seg_width, product.name),
    )
    return 0
