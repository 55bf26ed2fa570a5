"""Base class of the Keras losses that mine."""

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import tensorflow as tf

from triplet_train.losses.mining.distances import DistanceMetric, check_metric
from triplet_train.losses.mining.statistics import TripletStatistics

serializable = keras.saving.register_keras_serializable("triplet_train")


class MinedLoss(keras.losses.Loss):
    """Loss of a whole batch, which is one number, as a `keras.losses.Loss`.

    `keras.losses.Loss.__call__` casts labels to float32, which cannot represent all integers above
    2**24, and does not scale a loss that is one number under tf.distribute. For this reason the
    class has its own `__call__`. Each replica mines its own batch.

    A subclass sets `statistics`. If that function takes further options, the subclass names them in
    `options` and keeps each in an attribute of that name.

    Args:
        margin: non-negative number.
        distance_metric: "L2", "squared-L2", "angular", or a function that maps embeddings [B, D] to
            distances [B, B]. To save a model with such a function, register it with Keras.
        name: as in `keras.losses.Loss`.
        reduction: as in `keras.losses.Loss`. There is only one number to reduce, so this matters
            only under tf.distribute, where Keras adds the gradients of all replicas: the number is
            divided by the number of replicas, unless `reduction` is "sum" or None.
        dtype: dtype to which embeddings are cast first; default: none. bfloat16 and float16 are
            converted to float32 in any case.

    Raises:
        ValueError: an unknown metric or reduction.
    """

    statistics: ClassVar[Callable[..., TripletStatistics]]
    options: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: DistanceMetric = "L2",
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not callable(distance_metric):
            check_metric(distance_metric)
        self.margin = margin
        self.distance_metric = distance_metric
        self._asked_dtype = None if dtype is None else self.dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tf.Tensor:
        """Compute the scalar loss of integer labels [B] or [B, 1] and embeddings [B, D].

        Raises:
            TypeError: the labels are not integers.
            ValueError: the shapes do not fit, or there are sample weights, which have no meaning
                for triplets.
        """
        if sample_weight is not None:
            raise ValueError(f"{type(self).__name__} takes no sample weights")
        if tf.distribute.in_cross_replica_context() and not tf.executing_eagerly():
            # `fit` first traces with labels averaged over replicas, to infer shapes only.
            y_true = tf.cast(y_true, tf.int64)
        y_pred = tf.convert_to_tensor(y_pred)
        with tf.name_scope(self.name):
            loss = self.call(y_true, tf.cast(y_pred, self._asked_dtype or y_pred.dtype))
        if self.reduction in ("sum", "none", None):
            return loss
        return loss / tf.cast(tf.distribute.get_strategy().num_replicas_in_sync, loss.dtype)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return self.statistics(y_true, y_pred, **self._arguments()).loss

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("margin", "distance_metric", *self.options)}

    def get_config(self) -> dict[str, Any]:
        return self._arguments() | {
            "distance_metric": keras.saving.serialize_keras_object(self.distance_metric),
            "name": self.name,
            "reduction": self.reduction,
            "dtype": self._asked_dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MinedLoss":
        metric = keras.saving.deserialize_keras_object(config["distance_metric"])
        return cls(**config | {"distance_metric": metric})
