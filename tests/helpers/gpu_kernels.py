"""Operations of a traced function that a GPU would leave to the host.

TensorFlow registers its kernels for GPUs on machines without one too.
"""

from functools import cache

import tensorflow as tf
from tensorflow.python.framework import kernels

_A_SHAPE = 8  # numbers at most
_OF_PYTHON = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


def left_to_the_host(graph):
    """A line for each operation of `graph`, and of functions in it, that a GPU leaves to the host.

    It has no kernel for its types on a GPU, or one that works in the host's memory. Left out are
    operations on scalars, shapes (at most 8 numbers, or results of BroadcastGradientArgs), handles
    of variables and lists of tensors: these need no transfer that waits for the GPU.
    """
    return [
        f"{operation.type} {operation.name}: {reason}"
        for part in _graphs(graph, {}).values()
        for operation in part.get_operations()
        for reason in _reasons(operation)
    ]


def pinned(graph):
    """Operations that are placed on a device by hand."""
    parts = _graphs(graph, {}).values()
    return [each.name for part in parts for each in part.get_operations() if each.device]


def _reasons(operation):
    tensors = [*operation.inputs, *operation.outputs]
    if operation.type in _OF_PYTHON:
        yield "Python is on the host"
    if operation.type == "Placeholder" or all(map(_may_be_on_host, tensors)):
        return
    found = [kernel for kernel in _kernels(operation.type) if _fits(operation, kernel)]
    if not found:
        yield f"no kernel for {[(each.dtype.name, each.shape) for each in tensors]}"
        return
    kernel = max(found, key=lambda each: each.device_type == "GPU")  # comes before DEFAULT
    for name, tensor in _named(operation):
        if name in kernel.host_memory_arg and not (_may_be_on_host(tensor) or _is_handle(tensor)):
            yield f"{name} {tensor.dtype.name} {tensor.shape} is in the host's memory"


def _may_be_on_host(tensor):
    if _is_handle(tensor):
        return False
    size = tensor.shape.num_elements()
    return (size is not None and size <= _A_SHAPE) or tensor.op.type == "BroadcastGradientArgs"


def _is_handle(tensor):
    return tensor.dtype in (tf.resource, tf.variant)


@cache
def _kernels(operation):
    registered = kernels.get_registered_kernels_for_op(operation).kernel
    return [kernel for kernel in registered if kernel.device_type in ("GPU", "DEFAULT")]


def _fits(operation, kernel):
    for constraint in kernel.constraint:
        allowed = set(constraint.allowed_values.list.type)
        given = operation.node_def.attr[constraint.name]
        types = {given.type} if given.HasField("type") else set(given.list.type)
        if allowed and not types <= allowed:
            return False
    return True


def _named(operation):
    """Pairs of an argument's name and a tensor; an argument may have several tensors."""
    definition = operation.op_def
    for arguments, tensors in (
        (definition.input_arg, list(operation.inputs)),
        (definition.output_arg, list(operation.outputs)),
    ):
        for argument in arguments:
            count = 1
            if argument.number_attr:
                count = operation.get_attr(argument.number_attr)
            elif argument.type_list_attr:
                count = len(operation.get_attr(argument.type_list_attr))
            for tensor in tensors[:count]:
                yield argument.name, tensor
            tensors = tensors[count:]


def _graphs(graph, found):
    """The graph and those of the functions in it, by id."""
    if id(graph) not in found:
        found[id(graph)] = graph
        for function in graph._functions.values():
            _graphs(function.graph, found)
    return found
