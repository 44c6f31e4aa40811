"""The descriptor pool of the generated messages, apart from the process's own; see proto/generate.py."""

from google.protobuf import any_pb2, descriptor_pool, empty_pb2, field_mask_pb2, timestamp_pb2

_POOL = descriptor_pool.DescriptorPool()
for _module in (any_pb2, empty_pb2, field_mask_pb2, timestamp_pb2):
    _POOL.AddSerializedFile(_module.DESCRIPTOR.serialized_pb)


def Default() -> descriptor_pool.DescriptorPool:
    return _POOL
