"""Where the desk keeps its files, as its settings say: in its folder, or in a bucket."""

from firstline.common.errors import Invalid
from firstline.common.files import Files, LocalFiles
from firstline.common.ports import Ports
from firstline.common.settings import Settings


class NoBuckets(Invalid):
    """The settings name a bucket, and what speaks to one is not installed."""

    title = "The extra s3 is not installed"


def local_files(settings: Settings, ports: Ports) -> LocalFiles:
    """Return the files in the desk's folder."""
    return LocalFiles(settings.data / "files", ports.offload, ports.ids)


def bucket_files(settings: Settings, ports: Ports) -> Files:
    """Return the files in the bucket that the settings name.

    Raises:
        NoBuckets: the extra `s3` is missing.

    """
    try:
        from firstline.common.s3_files import S3Files, s3_store
    except ModuleNotFoundError as error:
        raise NoBuckets(
            "FIRSTLINE_BUCKET needs the extra s3, which is not installed. Install it (`uv pip install --require-hashes"
            " -r requirements/s3.txt`), use the container image, which has it, or leave FIRSTLINE_BUCKET empty."
        ) from error
    name, _, prefix = settings.bucket.removeprefix("s3://").partition("/")
    store = s3_store(
        name,
        prefix,
        region=settings.bucket_region,
        key_id=settings.bucket_key_id,
        secret=settings.bucket_secret.get_secret_value(),
        endpoint=settings.bucket_endpoint or None,
    )
    return S3Files(store, ports.ids)
