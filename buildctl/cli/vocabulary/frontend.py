"""The keys of `--opt` that dockerfile.v0 knows. Sources: frontend/dockerui/config.go, context.go, attr.go."""

from __future__ import annotations

from buildctl.cli.vocabulary.word import Word

FRONTENDS = (
    Word("dockerfile.v0", "the Dockerfile frontend inside the daemon"),
    Word("gateway.v0", "a frontend from an image, named by --opt source=IMAGE"),
)

OPT_KEYS = (
    # what is built
    Word("target=", "Stage to build. Default: the last one.", "targets"),
    Word("filename=", "Dockerfile's path in its folder. Default: Dockerfile.", "dockerfile"),
    Word("build-arg:", "NAME=VALUE of an ARG; without =VALUE, the variable of that name.", "args"),
    Word("platform=", "Platforms to build for, by commas. Default: the worker's.", "list platform"),
    Word("multi-platform=", "Make an index even for one platform.", "words bool"),
    Word("label:", "NAME=VALUE, a label of the image.", "free"),
    Word("no-cache=", "Stages whose steps run again, by commas; all if empty.", "targets"),
    # where it is read from
    Word("context=", "Context instead of --local context: a Git or HTTP URL.", "free"),
    Word("context:", "NAME=SOURCE, what replaces the image or stage NAME.", "free"),
    Word("contextsubdir=", "Folder of the context to take as its root.", "free"),
    Word("contextkey=", "Name of the --local with the context. Default: context.", "free"),
    Word("dockerfilekey=", "Name of the --local with the Dockerfile. Default: dockerfile.", "free"),
    Word("local-sessionid:", "NAME=ID, the session that serves a --local.", "free"),
    Word("input-metadata:", "NAME=JSON, an image's configuration for an input.", "free"),
    # how steps run
    Word("add-hosts=", "Lines of /etc/hosts: NAME=IP, by commas.", "free"),
    Word("hostname=", "Host name in steps. Default: buildkitsandbox.", "free"),
    Word("force-network-mode=", "Network of every step. Default: sandbox.", "words network"),
    Word("image-resolve-mode=", "How image names are resolved. Default: default.", "words resolve"),
    Word("cgroup-parent=", "Cgroup that steps run in.", "free"),
    Word("shm-size=", "Size of /dev/shm, in bytes.", "free"),
    Word("ulimit=", "NAME=SOFT:HARD, limits of steps, by commas.", "free"),
    Word("memory=", "Memory limit of a step, in bytes.", "free"),
    Word("memswap=", "Limit of memory and swap, in bytes; -1 for none.", "free"),
    Word("cpushares=", "Relative weight of CPU time.", "free"),
    Word("cpuperiod=", "Period of the CPU quota, in microseconds.", "free"),
    Word("cpuquota=", "CPU time a period, in microseconds.", "free"),
    Word("cpusetcpus=", "CPUs that may be used: 0-3,7.", "free"),
    Word("cpusetmems=", "Memory nodes that may be used: 0,1.", "free"),
    # what is recorded
    Word(
        "attest:provenance=",
        "Attach provenance: mode, version, inline-only, ...",
        "fields provenance",
    ),
    Word("attest:sbom=", "Attach a bill of materials: generator=IMAGE.", "fields sbom"),
    # what is asked instead of a build
    Word("requestid=", "Ask the frontend instead of building.", "words request"),
    # caches and frontends
    Word("cache-from=", "Images to take cache from; --import-cache is its successor.", "free"),
    Word("cache-imports=", "Caches to import, as JSON; set by --import-cache.", "free"),
    Word("source=", "Image of the frontend, for gateway.v0.", "free"),
    Word("cmdline=", "The syntax line that the frontend is to believe in.", "free"),
    Word("frontend.caps=", "Capabilities that the frontend must have, by commas.", "free"),
)

BUILD_ARGS = (
    Word("BUILDKIT_SYNTAX=", "Frontend image instead of the Dockerfile's syntax line.", "free"),
    Word("BUILDKIT_MULTI_PLATFORM=", "The same as the key multi-platform.", "words bool"),
    Word("BUILDKIT_SANDBOX_HOSTNAME=", "The same as the key hostname.", "free"),
    Word("BUILDKIT_CACHE_MOUNT_NS=", "Prefix of the ids of cache mounts.", "free"),
    Word("BUILDKIT_CONTEXT_KEEP_GIT_DIR=", "Keep .git in a Git context.", "words bool"),
    Word("BUILDKIT_DOCKERFILE_CHECK=", "Lint rules: skip=RULE,...;error=true;experimental=all.", "free"),
    Word("BUILDKIT_ATTEST_PROVENANCE=", "The same as the key attest:provenance.", "free"),
    Word("BUILDKIT_ATTEST_SBOM=", "The same as the key attest:sbom.", "free"),
    Word("BUILDKIT_SBOM_SCAN_CONTEXT=", "Scan the context too; needs an ARG of that name.", "words bool"),
    Word("BUILDKIT_SBOM_SCAN_STAGE=", "Scan these stages too; needs an ARG of that name.", "free"),
    Word("BUILDKIT_BUILD_NAME=", "Name of the build in histories.", "free"),
    Word("BUILDKIT_INLINE_CACHE=", "Ignored: --export-cache type=inline does it.", "words bool"),
    Word("SOURCE_DATE_EPOCH=", "Time of the image and its files, in Unix seconds.", "free"),
    Word("HTTP_PROXY=", "Proxy of steps; HTTPS_PROXY, FTP_PROXY, NO_PROXY, ALL_PROXY too.", "free"),
)

SETS = {
    "frontend": FRONTENDS,
    "opt": OPT_KEYS,
    "args": BUILD_ARGS,
    "network": (
        Word("sandbox", "a network of its own"),
        Word("host", "the daemon's; needs --allow network.host"),
        Word("none", "none"),
    ),
    "resolve": (
        Word("default", "what the worker does by itself"),
        Word("pull", "ask the registry"),
        Word("local", "prefer images that are there"),
    ),
    "request": (
        Word("frontend.subrequests.describe", "what can be asked"),
        Word("frontend.lint", "check the Dockerfile"),
        Word("frontend.outline", "arguments, secrets, mounts of a target"),
        Word("frontend.targets", "stages of the Dockerfile"),
    ),
    "platform": tuple(
        Word(name)
        for name in (
            "linux/amd64",
            "linux/arm64",
            "linux/arm/v7",
            "linux/arm/v6",
            "linux/386",
            "linux/ppc64le",
            "linux/riscv64",
            "linux/s390x",
            "windows/amd64",
        )
    ),
    "provenance": (
        Word("mode=", "How much is recorded. Default: max.", "words provenance-mode"),
        Word("version=", "Version of the format. Default: v1.", "words provenance-version"),
        Word("inline-only=", "Only where an image takes it in.", "words bool"),
        Word("filename=", "File of it in local and tar. Default: provenance.json.", "free"),
        Word("builder-id=", "Id of the builder.", "free"),
        Word("reproducible=", "Claim that the build is reproducible.", "words bool"),
    ),
    "provenance-mode": (Word("min", "no build arguments, no source"), Word("max", "everything")),
    "provenance-version": (Word("v1"), Word("v0.2")),
    "sbom": (Word("generator=", "Image of the scanner.", "free"),),
}
