"""What the Keras classes over the mined losses share."""

from typing import Any

import keras
import tensorflow as tf

from triplet_train.losses.mining.distances import Metric, check_metric


class MinedLoss(keras.losses.Loss):
    """A loss of a whole batch, one number, as a `keras.losses.Loss`.

    `keras.losses.Loss.__call__` casts labels to float32, in which labels above 2**24 collide, and
    leaves a loss that is one number out of its scaling under tf.distribute. So these classes have a
    `__call__` of their own. Each replica mines its own batch.

    Args:
        margin: at least 0.
        distance_metric: "L2", "squared-L2", "angular", or a function, embeddings [B, D] ->
            distances [B, B], which has to be registered with Keras to be saved with a model.
        name: as in `keras.losses.Loss`.
        reduction: as in `keras.losses.Loss`. There is one number to reduce, so that it only says
            what happens under tf.distribute, where Keras adds up the gradients of the replicas: the
            number is divided by how many there are, unless this is "sum" or None.
        dtype: embeddings are cast to it first. By default they stay as they are; bfloat16 and
            float16 are compared in float32 in any case.

    Raises:
        ValueError: an unknown metric or reduction.
    """

    def __init__(
        self,
        margin: float = 1.0,
        distance_metric: Metric = "L2",
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
        """Scalar loss of integer labels [B] or [B, 1] and embeddings [B, D].

        Raises:
            TypeError: labels are not integers.
            ValueError: shapes that do not fit; sample weights, which say nothing about triplets.
        """
        if sample_weight is not None:
            raise ValueError(f"{type(self).__name__} takes no sample weights")
        if tf.distribute.in_cross_replica_context() and not tf.executing_eagerly():
            # The dry run of `fit`, for shapes only, whose labels are a mean of the replicas'.
            y_true = tf.cast(y_true, tf.int64)
        y_pred = tf.convert_to_tensor(y_pred)
        with tf.name_scope(self.name):
            loss = self.call(y_true, tf.cast(y_pred, self._asked_dtype or y_pred.dtype))
        if self.reduction in ("sum", "none", None):
            return loss
        return loss / tf.cast(tf.distribute.get_strategy().num_replicas_in_sync, loss.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "margin": self.margin,
            "distance_metric": keras.saving.serialize_keras_object(self.distance_metric),
            "name": self.name,
            "reduction": self.reduction,
            "dtype": self._asked_dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MinedLoss":
        metric = keras.saving.deserialize_keras_object(config["distance_metric"])
        return cls(**config | {"distance_metric": metric})
