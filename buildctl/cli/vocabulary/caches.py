"""The types of `--export-cache` and `--import-cache`, and their attributes. Source: cache/remotecache."""

from __future__ import annotations

from buildctl.cli.vocabulary.word import Word

EXPORTS = (
    Word("registry", "an image of its own in a registry"),
    Word("inline", "inside the image that is pushed; import it with type=registry"),
    Word("local", "an OCI layout in a folder here"),
    Word("gha", "GitHub's cache for Actions"),
    Word("s3", "a bucket of S3"),
    Word("azblob", "Azure Blob Storage"),
)
IMPORTS = tuple(word for word in EXPORTS if word.text != "inline")

_LAYERS = ("registry", "local")
_STORES = ("registry", "local", "gha", "s3", "azblob")
_BUCKETS = ("s3", "azblob")

ATTRIBUTES = (
    Word("ref=", "Image that holds the cache; needed.", "free", ("registry",)),
    Word("registry.insecure=", "Allow plain HTTP or unknown certificates.", "words bool", ("registry",)),
    Word("tag=", "Tag in the layout's index. Default: latest.", "free", ("local",)),
    Word("scope=", "Which cache of the repository. Default: buildkit.", "free", ("gha",)),
    Word("timeout=", "How long a transfer may take. Default: 10m.", "free", ("gha",)),
    Word("version=", "API of the service; 2 with $ACTIONS_CACHE_SERVICE_V2.", "free", ("gha",)),
    Word("url=", "Server. Default: $ACTIONS_CACHE_URL, else $ACTIONS_RESULTS_URL.", "free", ("gha",)),
    Word("url_v2=", "Server of version 2. Default: $ACTIONS_RESULTS_URL.", "free", ("gha",)),
    Word("token=", "Token. Default: $ACTIONS_RUNTIME_TOKEN.", "free", ("gha",)),
    Word("repository=", "Repository, for GitHub's own API.", "free", ("gha",)),
    Word("ghtoken=", "Token of GitHub's own API.", "free", ("gha",)),
    Word("bucket=", "Bucket. Default: the daemon's $AWS_BUCKET.", "free", ("s3",)),
    Word("region=", "Region. Default: the daemon's $AWS_REGION.", "free", ("s3",)),
    Word(
        "account_url=",
        "Account. Default: the daemon's $BUILDKIT_AZURE_STORAGE_ACCOUNT_URL.",
        "free",
        ("azblob",),
    ),
    Word("account_name=", "Account's name, if its URL lacks it.", "free", ("azblob",)),
    Word("container=", "Container. Default: buildkit-cache.", "free", ("azblob",)),
    Word("name=", "Manifest, or several by semicolons. Default: buildkit.", "free", _BUCKETS),
    Word("prefix=", "What every object's name begins with.", "free", _BUCKETS),
    Word("blobs_prefix=", "What names of blobs go on with. Default: blobs/.", "free", _BUCKETS),
    Word("manifests_prefix=", "What names of manifests go on with. Default: manifests/.", "free", _BUCKETS),
    Word("secret_access_key=", "Key. Default: what the daemon has.", "free", _BUCKETS),
    Word("access_key_id=", "Id of the key.", "free", ("s3",)),
    Word("session_token=", "Token of a session.", "free", ("s3",)),
    Word("endpoint_url=", "Server, if it is not Amazon's.", "free", ("s3",)),
    Word("use_path_style=", "Bucket in the path, not in the host.", "words bool", ("s3",)),
    Word(
        "disable_accept_encoding=", "Sign no Accept-Encoding, for servers such as GCS.", "words bool", ("s3",)
    ),
    Word("retry_mode=", "How requests are repeated. Default: standard.", "words retry", ("s3",)),
    Word("retry_max_attempts=", "How often a request is tried. Default: 3.", "free", ("s3",)),
)

ONLY_EXPORT = (
    Word("mode=", "Layers of the result, or of every step. Default: min.", "words cache-mode", _STORES),
    Word("dest=", "Folder that is written to; needed.", "dir", ("local",)),
    Word("reset=", "Remove blobs that nothing refers to any more.", "words bool", ("local",)),
    Word("compression=", "How new layers are compressed. Default: gzip.", "words compression", _LAYERS),
    Word("compression-level=", "0 to 9 for gzip and estargz, 0 to 22 for zstd.", "free", _LAYERS),
    Word("force-compression=", "Compress layers that exist again.", "words bool", _LAYERS),
    Word("image-manifest=", "An image manifest instead of an index. Default: true.", "words bool", _LAYERS),
    Word("oci-mediatypes=", "OCI's media types instead of Docker's. Default: true.", "words bool", _LAYERS),
    Word("ignore-error=", "Succeed even if the cache cannot be exported.", "words bool", _STORES),
    Word("touch_refresh=", "How often unchanged blobs are touched. Default: 24h.", "free", ("s3",)),
    Word("upload_parallelism=", "Layers uploaded at once. Default: 4.", "free", ("s3",)),
)
ONLY_IMPORT = (
    Word("src=", "Folder that is read; needed.", "dir", ("local",)),
    Word("digest=", "Manifest to import, instead of a tag.", "free", ("local",)),
)


def _sets(flag: str, kinds: tuple[Word, ...], attributes: tuple[Word, ...]) -> dict[str, tuple[Word, ...]]:
    by_type = {
        f"{flag}.{kind.text}": tuple(word for word in attributes if kind.text in word.types) for kind in kinds
    }
    return {
        flag: (Word("type=", "Where the cache is.", f"words {flag}-type"),),
        f"{flag}-type": kinds,
        **by_type,
    }


SETS = {
    **_sets("export-cache", EXPORTS, ONLY_EXPORT + ATTRIBUTES),
    **_sets("import-cache", IMPORTS, ONLY_IMPORT + ATTRIBUTES),
    "cache-mode": (Word("min", "layers of the result"), Word("max", "layers of every step")),
    "retry": (Word("standard"), Word("adaptive")),
}
