"""Random rotation, shift and zoom of a batch of images as one affine resampling; random flips and shifts.

The transforms of ``RandomAffine`` follow ``RandomRotation``, ``RandomTranslation`` and ``RandomZoom`` of Keras,
in that order. Composing their matrices resamples an image once instead of three times, which is faster and
blurs less.
"""

from dataclasses import dataclass

from fmnist_utils.support.startup import tf


@dataclass(frozen=True)
class RandomAffine:
    """How far an image may be moved; each image of each epoch draws its own values uniformly.

    Attributes:
        rotation: largest angle in degrees, either way.
        shift: largest shift as a share of the image's side, both axes, either way.
        zoom: largest relative change of size, drawn for each axis by itself, as ``ImageDataGenerator`` does.
        fill_mode: what stands where the image was moved away: "nearest", "constant", "reflect" or "wrap".
    """

    rotation: float = 10.0
    shift: float = 0.1
    zoom: float = 0.1
    fill_mode: str = "nearest"

    def __post_init__(self) -> None:
        for name in ("rotation", "shift", "zoom"):  # 10 degrees are 10.0, also for a run's key
            object.__setattr__(self, name, float(getattr(self, name)))

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Resample a batch bilinearly: float, shape (n, height, width, channels); same shape and dtype.

        The same ``seed``, int, shape (2,), draws the same values.
        """
        n = tf.shape(images)[0]
        reach = tf.constant([[self.rotation], [self.shift], [self.shift], [self.zoom], [self.zoom]], tf.float32)
        draws = reach * tf.random.stateless_uniform([5, n], seed, minval=-1.0, maxval=1.0)
        angle, down, right, taller, wider = tf.unstack(draws)
        return resample(
            images, affine(images.shape[1:3], angle, down, right, 1 + taller, 1 + wider), self.fill_mode
        )


@dataclass(frozen=True)
class RandomFlipShift:
    """Mirror every other image, on average, and move each by whole pixels: nothing is resampled.

    Attributes:
        shift_pixels: largest shift, both axes, either way; black stands where the image was moved away.
        flip: whether images are mirrored at all.
        cutout: side of a black square on each image, in pixels, whose centre may be any pixel (DeVries and
            Taylor 2017, arXiv 1708.04552); 0 for none.
    """

    shift_pixels: int = 2
    flip: bool = True
    cutout: int = 0

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Augment a batch: see ``RandomAffine``."""
        n, (height, width) = tf.shape(images)[0], images.shape[1:3]
        moves = tf.random.stateless_uniform([2, n, 1], seed, 0, 2 * self.shift_pixels + 1, tf.int32)
        mirrored = tf.random.stateless_uniform([n, 1], seed + 1, 0, 1 + self.flip, tf.int32)
        columns = tf.where(mirrored == 1, tf.range(width)[::-1], tf.range(width)) + moves[0]
        rows = tf.range(height) + moves[1]
        padded = tf.pad(images, [[0, 0], [self.shift_pixels] * 2, [self.shift_pixels] * 2, [0, 0]])
        taken = tf.gather(padded, rows, axis=1, batch_dims=1)
        moved = tf.gather(taken, columns, axis=2, batch_dims=1)
        return self._without_square(moved, seed + 2) if self.cutout else moved

    def _without_square(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        inside = []
        for side, own_seed in zip(images.shape[1:3], (seed, seed + 1), strict=True):
            centre = tf.random.stateless_uniform([tf.shape(images)[0], 1], own_seed, 0, side, tf.int32)
            pixels = tf.range(side) - centre + self.cutout // 2
            inside.append((pixels >= 0) & (pixels < self.cutout))
        square = inside[0][:, :, tf.newaxis, tf.newaxis] & inside[1][:, tf.newaxis, :, tf.newaxis]
        return tf.where(square, tf.zeros_like(images), images)


def affine(size: tuple[int, int], angle, down, right, height_factor, width_factor) -> tf.Tensor:
    """Rotate, then shift, then zoom about the centre, as one matrix an image.

    Args:
        size: height and width of the images in pixels.
        angle: degrees, shape (n,); positive turns the picture counter-clockwise, as in Keras.
        down, right: shifts as shares of height and width, shape (n,).
        height_factor, width_factor: above 1 the picture shrinks, as with a positive factor in Keras's
            ``RandomZoom``, shape (n,).

    Returns:
        float32, shape (n, 8): for each output pixel, where in the input it comes from, in the form of
        ``ImageProjectiveTransformV3``.
    """
    height, width = (float(side) for side in size)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    radians = angle * (3.141592653589793 / 180)
    cos, sin = tf.cos(radians), tf.sin(radians)
    # Output pixel (x, y), seen from the centre: zoom it, shift it back, rotate it back.
    x0 = -width_factor * centre_x - right * width
    y0 = -height_factor * centre_y - down * height
    x_row = [cos * width_factor, -sin * height_factor, cos * x0 - sin * y0 + centre_x]
    y_row = [sin * width_factor, cos * height_factor, sin * x0 + cos * y0 + centre_y]
    zero = tf.zeros_like(cos)
    return tf.stack([*x_row, *y_row, zero, zero], axis=1)


def resample(images: tf.Tensor, transforms: tf.Tensor, fill_mode: str) -> tf.Tensor:
    """Fetch each output pixel from where ``transforms`` says, bilinearly; zero is the constant fill."""
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=fill_mode.upper(),
    )
