"""Augmentation

The time of a step with each group of `augment` keys beside the plain step. Images of noise, the
tower of `mnist_semihard`. Medians of rounds in random order; the last column compares within a
round.
"""

from rounds import in_rounds, rates
from sections import main

OF_COLOURS = "saturation, hue, grayscale"
GROUPS = {
    "rotate, shift, zoom, shear, flip": (
        "rotate: 15, shift: 0.1, zoom: 0.1, shear: 0.1, flip: horizontal"
    ),
    "crop": "crop: 0.5",
    "contrast, brightness": "contrast: 0.2, brightness: 0.2",
    OF_COLOURS: "saturation: 0.2, hue: 0.1, grayscale: 0.1",
    "blur": "blur: 1",
    "erase": "erase: 0.2",
}
CASES = [(10, 12, (28, 28, 1), 10), (8, 16, (96, 96, 3), 2)]  # P, K, image, steps of a round


def section(quick: bool) -> str:
    import tensorflow as tf
    from steps import made_images, set_up, timed

    zero, found = tf.constant(0), []
    for classes, per_class, shape, steps in CASES[:1] if quick else CASES:
        size = classes * per_class
        images = made_images(10 * size, shape)
        functions = {}
        groups = {
            name: keys for name, keys in GROUPS.items() if shape[-1] == 3 or name != OF_COLOURS
        }
        for name, keys in {"off": "", **groups, "all": ", ".join(groups.values())}.items():
            batch = f"batch={{classes: {classes}, per_class: {per_class}}}"
            training = set_up(images, batch, f"augment={{{keys}}}")
            pixels, labels = next(training.data())
            functions[name] = timed(
                lambda step=training.step, some=(pixels, labels): (
                    step(zero, zero, *some).triplets.loss
                ),
                1 if quick else steps,
            )
        times = in_rounds(functions, 1 if quick else 7)
        sides = " x ".join(map(str, shape))
        found.append(f"A step of {size} images of {sides}:\n\n{rates(times, size)}")
    return "\n\n".join(found)


if __name__ == "__main__":
    main(section)
