"""How each flag's value and each argument is completed, and the small sets of words."""

from __future__ import annotations

from buildctl.cli.vocabulary import caches, exporters, frontend
from buildctl.cli.vocabulary.word import BOOLEANS, Word

FLAGS = {
    "--against": "refs",
    "--addr": "words addr",
    "--allow": "words allow",
    "--context-check": "words context-check",
    "--debug-json-cache-metrics": "words metrics",
    "--export-cache": "fields export-cache",
    "--filter": "words filter",
    "--format": "words format",
    "--group-by": "words group-by",
    "--sort": "words sort",
    "--frontend": "words frontend",
    "--import-cache": "fields import-cache",
    "--local": "words local",
    "--log-format": "words log-format",
    "--oci-layout": "words oci-layout",
    "--on-unreadable": "words on-unreadable",
    "--opt": "words opt",
    "--output": "fields output",
    "--progress": "words progress",
    "--ref": "refs",
    "--registry-auth-hosts": "words auth-hosts",
    "--registry-auth-tlscontext": "fields tlscontext",
    "--root": "dir",
    "--secret": "fields secret",
    "--ssh": "words ssh",
}
"""By name; the others by what their metavar says."""

METAVARS = {
    "PATH|URL|-": "dir",
    "FILE": "file",
    "FILE|REF": "file",
    "REF|FILE": "file",
    "DIR": "dir",
    "PATH": "file",
    "REF": "refs",
    "REF...": "refs",
    "FILE...": "file",
    "SHELL": "words shell",
}

OVERRIDES = {("debug workers", "--filter"): "words worker-filter", ("timeline", "--output"): "file"}

SETS: dict[str, tuple[Word, ...]] = {
    **frontend.SETS,
    **exporters.SETS,
    **caches.SETS,
    "bool": BOOLEANS,
    "addr": (
        Word("unix://", "socket here: unix:///run/buildkit/buildkitd.sock", "file"),
        Word("tcp://", "HOST:PORT, with the TLS flags encrypted", "free"),
        Word("docker://", "BuildKit inside a Docker Engine; nothing more, a socket or HOST:PORT", "file"),
        Word("daemonless://", "a daemon of its own for this one command"),
        Word("docker-container://", "NAME of a Docker container", "free"),
        Word("podman-container://", "NAME of a Podman container", "free"),
        Word("nerdctl-container://", "NAME of a nerdctl container", "free"),
        Word("kube-pod://", "NAME of a Kubernetes pod", "free"),
        Word("ssh://", "[USER@]HOST[:PORT] that is reached with ssh", "free"),
        Word("unix-abstract:", "NAME of an abstract socket", "free"),
        Word("dns:///", "HOST:PORT, resolved by gRPC", "free"),
    ),
    "allow": (
        Word("network.host", "the daemon's network for steps"),
        Word("security.insecure", "steps without a sandbox"),
        Word("device", "every device"),
        Word("device=", "NAME of a CDI device", "free"),
    ),
    "filter": (
        Word("id==", "record with this id", "free"),
        Word("type==", "kind of record", "words record-type"),
        Word("description~=", "expression that matches the description", "free"),
        Word("parents==", "record with this parent", "free"),
        Word("inuse", "records in use"),
        Word("mutable", "records that may change"),
        Word("immutable", "records that do not change"),
        Word("shared", "records also used by others"),
        Word("private", "records used by nothing else"),
    ),
    "record-type": (
        Word("regular", "layers of steps"),
        Word("internal", "what the daemon keeps for itself"),
        Word("frontend", "frontends from images"),
        Word("source.local", "local folders"),
        Word("source.git.checkout", "Git checkouts"),
        Word("exec.cachemount", "cache mounts of steps"),
    ),
    "worker-filter": (
        Word("id==", "worker with this id", "workers"),
        Word("labels.", "KEY==VALUE, workers with this label", "free"),
    ),
    "sort": (
        Word("size", "largest first"),
        Word("last-used", "last used first"),
        Word("count", "most often used first"),
        Word("created", "newest first"),
    ),
    "group-by": (Word("type", "kinds of record"), Word("description", "what made them")),
    "format": (Word("json", "JSON instead of a Go template"),),
    "local": (
        Word("context=", "what COPY and ADD read", "dir"),
        Word("dockerfile=", "where the Dockerfile is", "dir"),
        Word("*=", "", "dir"),
    ),
    "context-check": (
        Word("metadata", "names, sizes and times, as daemons do"),
        Word("content", "bytes, too"),
    ),
    "on-unreadable": (
        Word("error", "the build fails"),
        Word("skip", "they are left out"),
        Word("empty", "files without content, folders without entries"),
    ),
    "oci-layout": (Word("*=", "", "dir"),),
    "log-format": (Word("text"), Word("json")),
    "metrics": (Word("stdout"), Word("stderr")),
    "progress": (
        Word("auto", "tty on a terminal, in a CI job that of its service, else plain"),
        Word("tty", "a live tree"),
        Word("plain", "lines, for logs"),
        Word("rawjson", "one JSON object a line"),
        Word("quiet", "nothing"),
        Word("errors", "nothing but the logs of failed steps"),
        Word("grouped", "lines, each step's together"),
        Word("github", "sections of GitHub Actions"),
        Word("gitlab", "sections of GitLab CI/CD"),
        Word("buildkite", "groups of Buildkite"),
        Word("azure", "groups of Azure Pipelines"),
        Word("teamcity", "blocks of TeamCity"),
    ),
    "secret": (
        Word("id=", "Name that the build asks for.", "free"),
        Word("src=", "File with the secret.", "file"),
        Word("env=", "Variable with the secret.", "free"),
        Word("type=", "Where it is looked up.", "words secret-type"),
    ),
    "secret-type": (Word("file", "src is a file"), Word("env", "src is a variable")),
    "ssh": (Word("default=", "agent socket or keys for the default id", "file"), Word("*=", "", "file")),
    "tlscontext": (
        Word("host=", "Registry that the certificates are for.", "free"),
        Word("ca=", "CA certificate (PEM).", "file"),
        Word("cert=", "Client certificate (PEM).", "file"),
        Word("key=", "Key of the client certificate (PEM).", "file"),
        Word("insecure=", "Accept any certificate.", "words bool"),
    ),
    "auth-hosts": (
        Word("auto", "those that the command line, the Dockerfile and the policy name"),
        Word("none", "none"),
    ),
    "shell": (Word("bash"), Word("fish"), Word("pwsh"), Word("zsh")),
}
