"""The exporters of `--output` and their attributes. Source: the reference's exporter/."""

from __future__ import annotations

from buildctl.cli.vocabulary.word import Word

EXPORTERS = (
    Word("image", "in the daemon's image store, or pushed to a registry"),
    Word("local", "files in a folder here"),
    Word("tar", "files in a tarball here"),
    Word("oci", "an OCI image, as tarball or folder here"),
    Word("docker", "an image that `docker load` reads, as tarball or folder here"),
)

_IMAGE = ("image",)
_IMAGES = ("image", "oci", "docker")
_FILES = ("local", "tar")
_ALL = (*_IMAGES, *_FILES)

ATTRIBUTES = (
    Word("dest=", "Folder that is written to; needed.", "dir", ("local",)),
    Word(
        "dest=",
        "File that is written; default: standard output. With tar=false, a folder.",
        "file",
        ("tar", "oci", "docker"),
    ),
    Word(
        "mode=",
        "What becomes of other files in dest. Default: copy.",
        "words local-mode",
        ("local",),
    ),
    Word(
        "keep-privileged=",
        "Create devices, keep set-id bits and capabilities of files. Default: false.",
        "words bool",
        ("local",),
    ),
    Word(
        "platform-split=", "A folder a platform. Default: true when several are built.", "words bool", _FILES
    ),
    Word("attestation-prefix=", "What the names of attestation files begin with.", "free", _FILES),
    Word(
        "tar=",
        "false writes an OCI layout into the folder dest. Default: true.",
        "words bool",
        ("oci", "docker"),
    ),
    Word("name=", 'Name of the image; several, quoted: "name=a,b".', "free", _IMAGES),
    Word("push=", "Push the image. Default: false.", "words bool", _IMAGE),
    Word("push-by-digest=", "Push without a name.", "words bool", _IMAGE),
    Word(
        "registry.insecure=",
        "Allow registries with plain HTTP or unknown certificates.",
        "words bool",
        _IMAGE,
    ),
    Word("store=", "Keep the image in the worker's store. Default: true.", "words bool", _IMAGE),
    Word("unpack=", "Unpack the image for containerd.", "words bool", _IMAGE),
    Word("name-canonical=", "Also name the image NAME@DIGEST.", "words bool", _IMAGE),
    Word("dangling-name-prefix=", "Name the image PREFIX@DIGEST.", "free", _IMAGE),
    Word(
        "danging-name-empty-only=",
        "Do so only without a name (spelled as BuildKit does).",
        "words bool",
        _IMAGE,
    ),
    Word("annotation.", "KEY=VALUE on manifests.", "free", _IMAGES),
    Word("annotation-index.", "KEY=VALUE on the index.", "free", _IMAGES),
    Word("annotation-manifest-descriptor.", "KEY=VALUE on the index's entries.", "free", _IMAGES),
    Word("annotation-index-descriptor.", "KEY=VALUE on the layout's entry of the index.", "free", _IMAGES),
    Word("compression=", "How new layers are compressed. Default: gzip.", "words compression", _IMAGES),
    Word("compression-level=", "0 to 9 for gzip and estargz, 0 to 22 for zstd.", "free", _IMAGES),
    Word("force-compression=", "Compress layers that exist again.", "words bool", _IMAGES),
    Word("oci-mediatypes=", "OCI's media types instead of Docker's.", "words bool", _IMAGES),
    Word("oci-artifact=", "Attestations as OCI artifacts.", "words bool", _IMAGES),
    Word("attestation-inline=", "Attach attestations in any case.", "words bool", _IMAGES),
    Word("prefer-nondist-layers=", "Keep layers marked as not for distribution.", "words bool", _IMAGES),
    Word("rewrite-timestamp=", "Set files to SOURCE_DATE_EPOCH.", "words bool", _IMAGES),
    Word("source-date-epoch=", "Latest time in the result, in Unix seconds.", "free", _ALL),
)

SETS = {
    "output": (Word("type=", "What comes out.", "words output-type"),),
    "output-type": EXPORTERS,
    **{
        f"output.{exporter.text}": tuple(word for word in ATTRIBUTES if exporter.text in word.types)
        for exporter in EXPORTERS
    },
    "local-mode": (Word("copy", "keep what else is there"), Word("delete", "remove what else is there")),
    "compression": (Word("gzip"), Word("zstd"), Word("estargz"), Word("uncompressed")),
}
