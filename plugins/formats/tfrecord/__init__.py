"""TFRecord files with `tf.train.Example`, as TensorFlow's detection API writes and reads them.

TensorFlow itself is half a gigabyte and is there for few versions of Python, for two formats that fit on a page each
and have not changed since 2016: the frame around a record, and the few wire types of protobuf that an example is made
of. So both are read and written here, checksums included, and judged in tests by what TensorFlow documents.
"""

from amp_datasets.plugin.registry import Registry

from .export import TfRecordExporter
from .source import TfRecordSource


def register(registry: Registry) -> None:
    """Offer both sides of the format."""
    registry.add_source(TfRecordSource)
    registry.add_exporter(TfRecordExporter)
