"""A value through the codecs and back, without a file."""

from mlmi_sklearn.persistence.api import _BY_TAG, _CODECS
from mlmi_sklearn.persistence.arrays import arrays_of, bytes_of
from mlmi_sklearn.persistence.codec import Reader, Writer
from mlmi_sklearn.persistence.manifest import parse, render


def there_and_back(value):
    writer = Writer(_CODECS, lambda value, path: f"{path} cannot be saved")
    manifest = render({"format": 1, "state": writer.pack(value, "x")})
    reader = Reader(_BY_TAG, arrays_of(bytes_of(writer.arrays)))
    found = reader.unpack(parse(manifest)["state"])
    assert not reader.arrays
    return found
