# PowerShell completion for buildctl. Generated: python -m buildctl.cli.completion.generate
# Only refs and workers are asked of the daemon; all else is answered from the tables below.

Register-ArgumentCompleter -Native -CommandName buildctl -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    # Rows of each set: text|value|help
    $tables = @{
        'global flags' = @(
            '--debug||Show debug messages, and where errors come from.'
            '--addr|words addr|The daemon: unix://, tcp://, docker://, daemonless://.'
            '--daemon|free|A daemon of the settings; buildctl daemon ls lists them.'
            '--log-format|words log-format|Format of log messages: text or json.'
            '--tlsservername|free|The name in the daemon''s certificate. Default: the address''s host.'
            '--tlscacert|file|CA certificate (PEM) that the daemon''s certificate must be signed by.'
            '--tlscert|file|Client certificate (PEM).'
            '--tlskey|file|Key of the client certificate (PEM).'
            '--tlsdir|dir|Folder with ca.pem, cert.pem, key.pem or ca.crt, tls.crt, tls.key.'
            '--timeout|free|How long --wait waits; 0 is for ever.'
            '--wait||Wait until the daemon answers.'
            '--stall-timeout|free|Give up a daemon that shows no sign of life for so long; 0 is never.'
            '--help||Show help.'
        )
        'flags buildctl' = @(
            '--version||Print the version.'
            '-v||Print the version.'
        )
        'commands buildctl' = @(
            'du||disk usage'
            'prune||clean up build cache'
            'prune-histories||clean up build histories'
            'build||build'
            'debug||debug utilities'
            'ps||list the builds that run now'
            'attach||watch a build that runs'
            'history||builds that have run: list, logs, files'
            'check||look for mistakes in a Dockerfile'
            'outline||what a Dockerfile takes: arguments, secrets'
            'targets||which stages a Dockerfile has'
            'why||why steps of a build were not cached'
            'compare||two builds side by side in time'
            'context||what a build sends of a folder, and why'
            'timeline||where the time of a build went'
            'replay||show a saved build again'
            'doctor||look at all that a build depends on'
            'daemon||daemons by name'
            'config||which settings hold, and who said so'
            'help||show help for a command'
        )
        'names buildctl' = @(
            'du|buildctl du|'
            'prune|buildctl prune|'
            'prune-histories|buildctl prune-histories|'
            'build|buildctl build|'
            'debug|buildctl debug|'
            'ps|buildctl ps|'
            'attach|buildctl attach|'
            'history|buildctl history|'
            'check|buildctl check|'
            'outline|buildctl outline|'
            'targets|buildctl targets|'
            'why|buildctl why|'
            'compare|buildctl compare|'
            'context|buildctl context|'
            'timeline|buildctl timeline|'
            'replay|buildctl replay|'
            'doctor|buildctl doctor|'
            'daemon|buildctl daemon|'
            'config|buildctl config|'
            'dial-stdio|buildctl dial-stdio|'
            'completion|buildctl completion|'
            'b|buildctl build|'
            'help|buildctl|'
        )
        'flags buildctl du' = @(
            '--filter|words filter|Only records that match, e.g. type==regular.'
            '-f|words filter|Only records that match, e.g. type==regular.'
            '--verbose||Every field of each record.'
            '-v||Every field of each record.'
            '--sort|words sort|Largest first: size, last-used, count or created.'
            '--top|free|The first N records alone.'
            '--tree||Each record below the one that it was built on.'
            '--group-by|words group-by|Sums by type or description.'
            '--since|free|Used since then: 2h, 7d, or an instant such as 2026-11-30T12:00:00Z.'
            '--until|free|Not used after then.'
            '--rules||Which of the daemon''s garbage collection rules would take each record.'
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'flags buildctl prune' = @(
            '--keep-duration|free|Keep what was used within this time: 48h, 7d.'
            '--keep-storage|free|Keep up to this much: 10GB, 512MiB, or megabytes as a bare number.'
            '--keep-storage-min|free|Keep at least this much, whatever else is asked.'
            '--free-storage|free|Prune until this much of the disk is free.'
            '--filter|words filter|Only records that match, e.g. type==regular.'
            '-f|words filter|Only records that match, e.g. type==regular.'
            '--all||Also internal records, frontends and shared ones.'
            '--verbose||Every field of each record.'
            '-v||Every field of each record.'
            '--dry-run||Remove nothing, and show what would go. An estimate: the daemon knows more.'
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'flags buildctl prune-histories' = @(
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'flags buildctl build' = @(
            '--frontend|words frontend|What reads the build: dockerfile.v0, or gateway.v0 with --opt source=IMAGE.'
            '--opt|words opt|Option of the frontend: target=STAGE, build-arg:NAME=VALUE.'
            '--local|words local|Let the build read a folder: context=., dockerfile=.'
            '--context-check|words context-check|What tells that a file has changed: metadata, or content (keeps digests).'
            '--on-unreadable|words on-unreadable|Files and folders that cannot be read: error, skip (leave out) or empty.'
            '--shared-key|free|Key under which the daemon keeps the folders'' files for the next build.'
            '--output|fields output|Where the result goes: type=local,dest=out.'
            '-o|fields output|Where the result goes: type=local,dest=out.'
            '--export-cache|fields export-cache|Where the cache goes: type=registry,ref=NAME,mode=max or type=local,dest=cache.'
            '--import-cache|fields import-cache|Where a cache comes from: type=registry,ref=NAME or type=local,src=cache.'
            '--oci-layout|words oci-layout|Let the build read an OCI layout: --opt context:NAME=oci-layout://ID@DIGEST.'
            '--no-cache||Run every step, cached or not.'
            '--assert-cached||Fail, with exit code 4, if steps ran; with a value only those whose names match.'
            '--retries|free|Run a build again, N times at most, when the daemon or the way to it was lost.'
            '--progress|words progress|Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service''s, such as github.'
            '--secret|fields secret|Offer a secret: id=npm,src=.npmrc or id=token,env=TOKEN.'
            '--ssh|words ssh|Offer your SSH agent, another''s socket, or private keys: default, git=id_ed25519.'
            '--registry-auth-tlscontext|fields tlscontext|Trust a registry''s token server: host=HOST,ca=FILE, cert=FILE,key=FILE or insecure=true.'
            '--registry-auth-hosts|words auth-hosts|Registries the daemon may ask your accounts for: HOST,..., auto or none. Default: all.'
            '--allow|words allow|Grant network.host, security.insecure or device.'
            '--source-policy-file|file|Allow, deny or replace sources by rules in JSON.'
            '--proxy-network||Let steps reach the network through the daemon''s proxy only.'
            '--metadata-file|file|Write what the exporters answer, such as digests, as JSON.'
            '--ref-file|file|Write the build''s ref.'
            '--on-error|free|When a step fails: fail, or shell (open one in it, on this terminal, before the build ends).'
            '--debug-shell|free|Open a shell before the step runs whose name has STEP in it, such as ''RUN make''.'
            '--shell-image|free|Image whose static shell these two use, such as busybox:musl. Default: the step''s own.'
            '--summary||Tell where the time went. Default: true on a terminal with the live display.'
            '--timings|file|Write the times of all steps and the critical path as JSON.'
            '--timeline|file|Write a chart of the build: a page (FILE.html), or events for Perfetto (FILE.json).'
            '--trace|file|Append all that the build says as lines of JSON.'
            '--session-log|file|Append what the daemon asked of this machine, and how that ended, as lines of JSON.'
            '--events|file|Write the build as lines of JSON for programs, to a file, fd:N for an open descriptor, or -.'
            '--log-dir|dir|Keep the log of each step, and the events, as files in a new folder below DIR.'
            '--tag|free|Name of the image, as with docker build.'
            '-t|free|Name of the image, as with docker build.'
            '--file|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '-f|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '--target|free|The stage to build.'
            '--build-arg|free|Build argument; without value, the variable''s.'
            '--label|free|Label of the image.'
            '--annotation|free|Annotation of the image''s manifest.'
            '--platform|free|What is built for: linux/amd64,linux/arm64.'
            '--push||Push the image to its registry.'
            '--load||Load the image into the Docker Engine here.'
            '--pull||Look for newer base images.'
            '--build-context|free|A folder, URL or image as a named context.'
            '--no-cache-filter|free|Run every step of these stages.'
            '--iidfile|file|Write the digest of the image.'
            '--dry-run||Build nothing; tell the long form, and what would be sent and written.'
            '--format|words format|Of --dry-run: text or json.'
            '--debug-json-cache-metrics|words metrics|Write how much came from the cache as JSON, to a file, stdout or stderr.'
        )
        'argument buildctl build' = @(
            '|dir|'
        )
        'commands buildctl debug' = @(
            'dump-llb||dump LLB in human-readable form; needs no daemon'
            'dump-metadata||dump a stopped daemon''s metadata database'
            'workers||list workers'
            'info||display internal information'
            'monitor||display build events'
            'logs||display build logs'
            'ctl||control build records'
            'get||retrieve a blob from the content store'
            'histories||list build records'
            'help||show help for a command'
        )
        'names buildctl debug' = @(
            'dump-llb|buildctl debug dump-llb|'
            'dump-metadata|buildctl debug dump-metadata|'
            'workers|buildctl debug workers|'
            'info|buildctl debug info|'
            'monitor|buildctl debug monitor|'
            'logs|buildctl debug logs|'
            'ctl|buildctl debug ctl|'
            'get|buildctl debug get|'
            'histories|buildctl debug histories|'
            'help|buildctl debug|'
        )
        'flags buildctl debug dump-llb' = @(
            '--dot||A graph in Graphviz''s language instead of a line of JSON an op.'
        )
        'argument buildctl debug dump-llb' = @(
            '|file|'
        )
        'flags buildctl debug dump-metadata' = @(
            '--root|dir|The daemon''s state folder.'
        )
        'flags buildctl debug workers' = @(
            '--filter|words worker-filter|Only workers that match, e.g. id==NAME.'
            '-f|words worker-filter|Only workers that match, e.g. id==NAME.'
            '--verbose||Labels, versions, devices and garbage collection rules too.'
            '-v||Labels, versions, devices and garbage collection rules too.'
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'flags buildctl debug info' = @(
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'flags buildctl debug monitor' = @(
            '--completed||Also the builds that have ended.'
            '--ref|refs|Only this build.'
        )
        'flags buildctl debug logs' = @(
            '--progress|words progress|Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service''s, such as github.'
            '--trace||The build''s OpenTelemetry spans as JSON instead.'
        )
        'argument buildctl debug logs' = @(
            '|refs|'
        )
        'flags buildctl debug ctl' = @(
            '--pin||Keep the record from garbage collection.'
            '--unpin||Leave the record to garbage collection again.'
            '--delete||Remove the record.'
        )
        'argument buildctl debug ctl' = @(
            '|refs|'
        )
        'flags buildctl debug histories' = @(
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'flags buildctl ps' = @(
            '--quiet||Refs alone, a line each.'
            '-q||Refs alone, a line each.'
        )
        'flags buildctl attach' = @(
            '--progress|words progress|Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service''s, such as github.'
        )
        'argument buildctl attach' = @(
            '|refs|'
        )
        'commands buildctl history' = @(
            'ls||list builds'
            'inspect||tell what was built, how and with what result'
            'logs||show what a build said'
            'open||show where a build''s time went, in a browser'
            'export||write builds as a .dockerbuild file'
            'import||keep the builds of a .dockerbuild file'
            'rm||remove builds from the history'
            'help||show help for a command'
        )
        'names buildctl history' = @(
            'ls|buildctl history ls|'
            'inspect|buildctl history inspect|'
            'logs|buildctl history logs|'
            'open|buildctl history open|'
            'export|buildctl history export|'
            'import|buildctl history import|'
            'rm|buildctl history rm|'
            'help|buildctl history|'
        )
        'flags buildctl history ls' = @(
            '--limit|free|The newest N alone; 0 is all.'
            '--imported||Builds kept from .dockerbuild files instead of the daemon''s.'
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'flags buildctl history inspect' = @(
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'argument buildctl history inspect' = @(
            '|refs|'
        )
        'flags buildctl history logs' = @(
            '--progress|words progress|Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service''s, such as github.'
        )
        'argument buildctl history logs' = @(
            '|refs|'
        )
        'argument buildctl history open' = @(
            '|refs|'
        )
        'flags buildctl history export' = @(
            '--output|fields output|Where the file goes. Default: standard output.'
            '-o|fields output|Where the file goes. Default: standard output.'
            '--all||All builds that have ended.'
        )
        'argument buildctl history export' = @(
            '|refs|'
        )
        'argument buildctl history import' = @(
            '|file|'
        )
        'flags buildctl history rm' = @(
            '--all||All builds that have ended and are not pinned.'
        )
        'argument buildctl history rm' = @(
            '|refs|'
        )
        'flags buildctl check' = @(
            '--file|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '-f|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '--build-arg|free|Build argument.'
            '--target|free|The stage that is looked at.'
            '--format|words format|text, json, sarif or github.'
            '--strict||Warnings fail, too.'
        )
        'argument buildctl check' = @(
            '|dir|'
        )
        'flags buildctl outline' = @(
            '--file|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '-f|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '--build-arg|free|Build argument.'
            '--target|free|The stage that is looked at.'
            '--format|words format|text or json.'
        )
        'argument buildctl outline' = @(
            '|dir|'
        )
        'flags buildctl targets' = @(
            '--file|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '-f|file|The Dockerfile; - is standard input. Default: PATH/Dockerfile.'
            '--build-arg|free|Build argument.'
            '--target|free|The stage that is looked at.'
            '--format|words format|text or json.'
        )
        'argument buildctl targets' = @(
            '|dir|'
        )
        'flags buildctl why' = @(
            '--against|refs|The build to compare with. Default: the last one of the same name.'
            '--format|words format|text or json.'
        )
        'argument buildctl why' = @(
            '|refs|'
        )
        'argument buildctl compare' = @(
            '|refs|'
        )
        'commands buildctl context' = @(
            'ls||list what would be sent, and how big it is'
            'diff||list what has changed since the last build'
            'explain||tell which rule decides whether a path is sent'
            'help||show help for a command'
        )
        'names buildctl context' = @(
            'ls|buildctl context ls|'
            'diff|buildctl context diff|'
            'explain|buildctl context explain|'
            'help|buildctl context|'
        )
        'flags buildctl context ls' = @(
            '--file|file|The Dockerfile, for the ignore file that belongs to it. Default: DIR/Dockerfile.'
            '-f|file|The Dockerfile, for the ignore file that belongs to it. Default: DIR/Dockerfile.'
            '--depth|free|How deep the tree is shown; 0 is all of it.'
            '--rules||Count the paths that each rule decides, and time it.'
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'argument buildctl context ls' = @(
            '|dir|'
        )
        'flags buildctl context diff' = @(
            '--file|file|The Dockerfile, for the ignore file that belongs to it. Default: DIR/Dockerfile.'
            '-f|file|The Dockerfile, for the ignore file that belongs to it. Default: DIR/Dockerfile.'
            '--local|words local|The local name that the build gave to the folder.'
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'argument buildctl context diff' = @(
            '|dir|'
        )
        'flags buildctl context explain' = @(
            '--file|file|The Dockerfile, for the ignore file that belongs to it. Default: DIR/Dockerfile.'
            '-f|file|The Dockerfile, for the ignore file that belongs to it. Default: DIR/Dockerfile.'
            '--format|words format|Print through a Go template such as ''{{range .}}{{.ID}} {{end}}'', or all of it as json.'
        )
        'argument buildctl context explain' = @(
            '|file|'
        )
        'flags buildctl timeline' = @(
            '--output|file|Write a page (FILE.html), or events for Perfetto (FILE.json).'
            '-o|file|Write a page (FILE.html), or events for Perfetto (FILE.json).'
            '--timings|file|Write the times of all steps and the critical path as JSON.'
            '--summary||Print where the time went. Default: true, unless something is written.'
        )
        'argument buildctl timeline' = @(
            '|file|'
        )
        'flags buildctl replay' = @(
            '--speed|free|How fast: 0.1 is a tenth, 10 ten times, or max.'
            '--progress|words progress|Display: auto, tty, plain, rawjson, quiet, errors, grouped, or a CI service''s, such as github.'
        )
        'argument buildctl replay' = @(
            '|file|'
        )
        'flags buildctl doctor' = @(
            '--format|words format|text or json.'
        )
        'commands buildctl daemon' = @(
            'ls||list daemons'
            'add||give a daemon a name'
            'use||choose the daemon that is used unless another is named'
            'rm||forget names'
            'inspect||tell of a daemon, and whether it answers'
            'import||take over buildx''s builders and Docker''s contexts'
            'help||show help for a command'
        )
        'names buildctl daemon' = @(
            'ls|buildctl daemon ls|'
            'add|buildctl daemon add|'
            'use|buildctl daemon use|'
            'rm|buildctl daemon rm|'
            'inspect|buildctl daemon inspect|'
            'import|buildctl daemon import|'
            'help|buildctl daemon|'
        )
        'flags buildctl daemon add' = @(
            '--use||Use it from now on, unless another is named.'
        )
        'flags buildctl daemon use' = @(
            '--none||None of them: BUILDKIT_HOST, or the daemon that is found.'
        )
        'flags buildctl config' = @(
            '--origin||Who said each value.'
        )
        'argument buildctl completion' = @(
            '|words shell|'
        )
        'frontend' = @(
            'dockerfile.v0||the Dockerfile frontend inside the daemon'
            'gateway.v0||a frontend from an image, named by --opt source=IMAGE'
        )
        'opt' = @(
            'target=|targets|Stage to build. Default: the last one.'
            'filename=|dockerfile|Dockerfile''s path in its folder. Default: Dockerfile.'
            'build-arg:|args|NAME=VALUE of an ARG; without =VALUE, the variable of that name.'
            'platform=|list platform|Platforms to build for, by commas. Default: the worker''s.'
            'multi-platform=|words bool|Make an index even for one platform.'
            'label:|free|NAME=VALUE, a label of the image.'
            'no-cache=|targets|Stages whose steps run again, by commas; all if empty.'
            'context=|free|Context instead of --local context: a Git or HTTP URL.'
            'context:|free|NAME=SOURCE, what replaces the image or stage NAME.'
            'contextsubdir=|free|Folder of the context to take as its root.'
            'contextkey=|free|Name of the --local with the context. Default: context.'
            'dockerfilekey=|free|Name of the --local with the Dockerfile. Default: dockerfile.'
            'local-sessionid:|free|NAME=ID, the session that serves a --local.'
            'input-metadata:|free|NAME=JSON, an image''s configuration for an input.'
            'add-hosts=|free|Lines of /etc/hosts: NAME=IP, by commas.'
            'hostname=|free|Host name in steps. Default: buildkitsandbox.'
            'force-network-mode=|words network|Network of every step. Default: sandbox.'
            'image-resolve-mode=|words resolve|How image names are resolved. Default: default.'
            'cgroup-parent=|free|Cgroup that steps run in.'
            'shm-size=|free|Size of /dev/shm, in bytes.'
            'ulimit=|free|NAME=SOFT:HARD, limits of steps, by commas.'
            'memory=|free|Memory limit of a step, in bytes.'
            'memswap=|free|Limit of memory and swap, in bytes; -1 for none.'
            'cpushares=|free|Relative weight of CPU time.'
            'cpuperiod=|free|Period of the CPU quota, in microseconds.'
            'cpuquota=|free|CPU time a period, in microseconds.'
            'cpusetcpus=|free|CPUs that may be used: 0-3,7.'
            'cpusetmems=|free|Memory nodes that may be used: 0,1.'
            'attest:provenance=|fields provenance|Attach provenance: mode, version, inline-only, ...'
            'attest:sbom=|fields sbom|Attach a bill of materials: generator=IMAGE.'
            'requestid=|words request|Ask the frontend instead of building.'
            'cache-from=|free|Images to take cache from; --import-cache is its successor.'
            'cache-imports=|free|Caches to import, as JSON; set by --import-cache.'
            'source=|free|Image of the frontend, for gateway.v0.'
            'cmdline=|free|The syntax line that the frontend is to believe in.'
            'frontend.caps=|free|Capabilities that the frontend must have, by commas.'
        )
        'args' = @(
            'BUILDKIT_SYNTAX=|free|Frontend image instead of the Dockerfile''s syntax line.'
            'BUILDKIT_MULTI_PLATFORM=|words bool|The same as the key multi-platform.'
            'BUILDKIT_SANDBOX_HOSTNAME=|free|The same as the key hostname.'
            'BUILDKIT_CACHE_MOUNT_NS=|free|Prefix of the ids of cache mounts.'
            'BUILDKIT_CONTEXT_KEEP_GIT_DIR=|words bool|Keep .git in a Git context.'
            'BUILDKIT_DOCKERFILE_CHECK=|free|Lint rules: skip=RULE,...;error=true;experimental=all.'
            'BUILDKIT_ATTEST_PROVENANCE=|free|The same as the key attest:provenance.'
            'BUILDKIT_ATTEST_SBOM=|free|The same as the key attest:sbom.'
            'BUILDKIT_SBOM_SCAN_CONTEXT=|words bool|Scan the context too; needs an ARG of that name.'
            'BUILDKIT_SBOM_SCAN_STAGE=|free|Scan these stages too; needs an ARG of that name.'
            'BUILDKIT_BUILD_NAME=|free|Name of the build in histories.'
            'BUILDKIT_INLINE_CACHE=|words bool|Ignored: --export-cache type=inline does it.'
            'SOURCE_DATE_EPOCH=|free|Time of the image and its files, in Unix seconds.'
            'HTTP_PROXY=|free|Proxy of steps; HTTPS_PROXY, FTP_PROXY, NO_PROXY, ALL_PROXY too.'
        )
        'network' = @(
            'sandbox||a network of its own'
            'host||the daemon''s; needs --allow network.host'
            'none||none'
        )
        'resolve' = @(
            'default||what the worker does by itself'
            'pull||ask the registry'
            'local||prefer images that are there'
        )
        'request' = @(
            'frontend.subrequests.describe||what can be asked'
            'frontend.lint||check the Dockerfile'
            'frontend.outline||arguments, secrets, mounts of a target'
            'frontend.targets||stages of the Dockerfile'
        )
        'platform' = @(
            'linux/amd64||'
            'linux/arm64||'
            'linux/arm/v7||'
            'linux/arm/v6||'
            'linux/386||'
            'linux/ppc64le||'
            'linux/riscv64||'
            'linux/s390x||'
            'windows/amd64||'
        )
        'provenance' = @(
            'mode=|words provenance-mode|How much is recorded. Default: max.'
            'version=|words provenance-version|Version of the format. Default: v1.'
            'inline-only=|words bool|Only where an image takes it in.'
            'filename=|free|File of it in local and tar. Default: provenance.json.'
            'builder-id=|free|Id of the builder.'
            'reproducible=|words bool|Claim that the build is reproducible.'
        )
        'provenance-mode' = @(
            'min||no build arguments, no source'
            'max||everything'
        )
        'provenance-version' = @(
            'v1||'
            'v0.2||'
        )
        'sbom' = @(
            'generator=|free|Image of the scanner.'
        )
        'output' = @(
            'type=|words output-type|What comes out.'
        )
        'output-type' = @(
            'image||in the daemon''s image store, or pushed to a registry'
            'local||files in a folder here'
            'tar||files in a tarball here'
            'oci||an OCI image, as tarball or folder here'
            'docker||an image that `docker load` reads, as tarball or folder here'
        )
        'output.image' = @(
            'name=|free|Name of the image; several, quoted: "name=a,b".'
            'push=|words bool|Push the image. Default: false.'
            'push-by-digest=|words bool|Push without a name.'
            'registry.insecure=|words bool|Allow registries with plain HTTP or unknown certificates.'
            'store=|words bool|Keep the image in the worker''s store. Default: true.'
            'unpack=|words bool|Unpack the image for containerd.'
            'name-canonical=|words bool|Also name the image NAME@DIGEST.'
            'dangling-name-prefix=|free|Name the image PREFIX@DIGEST.'
            'danging-name-empty-only=|words bool|Do so only without a name (spelled as BuildKit does).'
            'annotation.|free|KEY=VALUE on manifests.'
            'annotation-index.|free|KEY=VALUE on the index.'
            'annotation-manifest-descriptor.|free|KEY=VALUE on the index''s entries.'
            'annotation-index-descriptor.|free|KEY=VALUE on the layout''s entry of the index.'
            'compression=|words compression|How new layers are compressed. Default: gzip.'
            'compression-level=|free|0 to 9 for gzip and estargz, 0 to 22 for zstd.'
            'force-compression=|words bool|Compress layers that exist again.'
            'oci-mediatypes=|words bool|OCI''s media types instead of Docker''s.'
            'oci-artifact=|words bool|Attestations as OCI artifacts.'
            'attestation-inline=|words bool|Attach attestations in any case.'
            'prefer-nondist-layers=|words bool|Keep layers marked as not for distribution.'
            'rewrite-timestamp=|words bool|Set files to SOURCE_DATE_EPOCH.'
            'source-date-epoch=|free|Latest time in the result, in Unix seconds.'
        )
        'output.local' = @(
            'dest=|dir|Folder that is written to; needed.'
            'mode=|words local-mode|What becomes of other files in dest. Default: copy.'
            'keep-privileged=|words bool|Create devices, keep set-id bits and capabilities of files. Default: false.'
            'platform-split=|words bool|A folder a platform. Default: true when several are built.'
            'attestation-prefix=|free|What the names of attestation files begin with.'
            'source-date-epoch=|free|Latest time in the result, in Unix seconds.'
        )
        'output.tar' = @(
            'dest=|file|File that is written; default: standard output. With tar=false, a folder.'
            'platform-split=|words bool|A folder a platform. Default: true when several are built.'
            'attestation-prefix=|free|What the names of attestation files begin with.'
            'source-date-epoch=|free|Latest time in the result, in Unix seconds.'
        )
        'output.oci' = @(
            'dest=|file|File that is written; default: standard output. With tar=false, a folder.'
            'tar=|words bool|false writes an OCI layout into the folder dest. Default: true.'
            'name=|free|Name of the image; several, quoted: "name=a,b".'
            'annotation.|free|KEY=VALUE on manifests.'
            'annotation-index.|free|KEY=VALUE on the index.'
            'annotation-manifest-descriptor.|free|KEY=VALUE on the index''s entries.'
            'annotation-index-descriptor.|free|KEY=VALUE on the layout''s entry of the index.'
            'compression=|words compression|How new layers are compressed. Default: gzip.'
            'compression-level=|free|0 to 9 for gzip and estargz, 0 to 22 for zstd.'
            'force-compression=|words bool|Compress layers that exist again.'
            'oci-mediatypes=|words bool|OCI''s media types instead of Docker''s.'
            'oci-artifact=|words bool|Attestations as OCI artifacts.'
            'attestation-inline=|words bool|Attach attestations in any case.'
            'prefer-nondist-layers=|words bool|Keep layers marked as not for distribution.'
            'rewrite-timestamp=|words bool|Set files to SOURCE_DATE_EPOCH.'
            'source-date-epoch=|free|Latest time in the result, in Unix seconds.'
        )
        'output.docker' = @(
            'dest=|file|File that is written; default: standard output. With tar=false, a folder.'
            'tar=|words bool|false writes an OCI layout into the folder dest. Default: true.'
            'name=|free|Name of the image; several, quoted: "name=a,b".'
            'annotation.|free|KEY=VALUE on manifests.'
            'annotation-index.|free|KEY=VALUE on the index.'
            'annotation-manifest-descriptor.|free|KEY=VALUE on the index''s entries.'
            'annotation-index-descriptor.|free|KEY=VALUE on the layout''s entry of the index.'
            'compression=|words compression|How new layers are compressed. Default: gzip.'
            'compression-level=|free|0 to 9 for gzip and estargz, 0 to 22 for zstd.'
            'force-compression=|words bool|Compress layers that exist again.'
            'oci-mediatypes=|words bool|OCI''s media types instead of Docker''s.'
            'oci-artifact=|words bool|Attestations as OCI artifacts.'
            'attestation-inline=|words bool|Attach attestations in any case.'
            'prefer-nondist-layers=|words bool|Keep layers marked as not for distribution.'
            'rewrite-timestamp=|words bool|Set files to SOURCE_DATE_EPOCH.'
            'source-date-epoch=|free|Latest time in the result, in Unix seconds.'
        )
        'local-mode' = @(
            'copy||keep what else is there'
            'delete||remove what else is there'
        )
        'compression' = @(
            'gzip||'
            'zstd||'
            'estargz||'
            'uncompressed||'
        )
        'export-cache' = @(
            'type=|words export-cache-type|Where the cache is.'
        )
        'export-cache-type' = @(
            'registry||an image of its own in a registry'
            'inline||inside the image that is pushed; import it with type=registry'
            'local||an OCI layout in a folder here'
            'gha||GitHub''s cache for Actions'
            's3||a bucket of S3'
            'azblob||Azure Blob Storage'
        )
        'export-cache.registry' = @(
            'mode=|words cache-mode|Layers of the result, or of every step. Default: min.'
            'compression=|words compression|How new layers are compressed. Default: gzip.'
            'compression-level=|free|0 to 9 for gzip and estargz, 0 to 22 for zstd.'
            'force-compression=|words bool|Compress layers that exist again.'
            'image-manifest=|words bool|An image manifest instead of an index. Default: true.'
            'oci-mediatypes=|words bool|OCI''s media types instead of Docker''s. Default: true.'
            'ignore-error=|words bool|Succeed even if the cache cannot be exported.'
            'ref=|free|Image that holds the cache; needed.'
            'registry.insecure=|words bool|Allow plain HTTP or unknown certificates.'
        )
        'export-cache.local' = @(
            'mode=|words cache-mode|Layers of the result, or of every step. Default: min.'
            'dest=|dir|Folder that is written to; needed.'
            'reset=|words bool|Remove blobs that nothing refers to any more.'
            'compression=|words compression|How new layers are compressed. Default: gzip.'
            'compression-level=|free|0 to 9 for gzip and estargz, 0 to 22 for zstd.'
            'force-compression=|words bool|Compress layers that exist again.'
            'image-manifest=|words bool|An image manifest instead of an index. Default: true.'
            'oci-mediatypes=|words bool|OCI''s media types instead of Docker''s. Default: true.'
            'ignore-error=|words bool|Succeed even if the cache cannot be exported.'
            'tag=|free|Tag in the layout''s index. Default: latest.'
        )
        'export-cache.gha' = @(
            'mode=|words cache-mode|Layers of the result, or of every step. Default: min.'
            'ignore-error=|words bool|Succeed even if the cache cannot be exported.'
            'scope=|free|Which cache of the repository. Default: buildkit.'
            'timeout=|free|How long a transfer may take. Default: 10m.'
            'version=|free|API of the service; 2 with $ACTIONS_CACHE_SERVICE_V2.'
            'url=|free|Server. Default: $ACTIONS_CACHE_URL, else $ACTIONS_RESULTS_URL.'
            'url_v2=|free|Server of version 2. Default: $ACTIONS_RESULTS_URL.'
            'token=|free|Token. Default: $ACTIONS_RUNTIME_TOKEN.'
            'repository=|free|Repository, for GitHub''s own API.'
            'ghtoken=|free|Token of GitHub''s own API.'
        )
        'export-cache.s3' = @(
            'mode=|words cache-mode|Layers of the result, or of every step. Default: min.'
            'ignore-error=|words bool|Succeed even if the cache cannot be exported.'
            'touch_refresh=|free|How often unchanged blobs are touched. Default: 24h.'
            'upload_parallelism=|free|Layers uploaded at once. Default: 4.'
            'bucket=|free|Bucket. Default: the daemon''s $AWS_BUCKET.'
            'region=|free|Region. Default: the daemon''s $AWS_REGION.'
            'name=|free|Manifest, or several by semicolons. Default: buildkit.'
            'prefix=|free|What every object''s name begins with.'
            'blobs_prefix=|free|What names of blobs go on with. Default: blobs/.'
            'manifests_prefix=|free|What names of manifests go on with. Default: manifests/.'
            'secret_access_key=|free|Key. Default: what the daemon has.'
            'access_key_id=|free|Id of the key.'
            'session_token=|free|Token of a session.'
            'endpoint_url=|free|Server, if it is not Amazon''s.'
            'use_path_style=|words bool|Bucket in the path, not in the host.'
            'disable_accept_encoding=|words bool|Sign no Accept-Encoding, for servers such as GCS.'
            'retry_mode=|words retry|How requests are repeated. Default: standard.'
            'retry_max_attempts=|free|How often a request is tried. Default: 3.'
        )
        'export-cache.azblob' = @(
            'mode=|words cache-mode|Layers of the result, or of every step. Default: min.'
            'ignore-error=|words bool|Succeed even if the cache cannot be exported.'
            'account_url=|free|Account. Default: the daemon''s $BUILDKIT_AZURE_STORAGE_ACCOUNT_URL.'
            'account_name=|free|Account''s name, if its URL lacks it.'
            'container=|free|Container. Default: buildkit-cache.'
            'name=|free|Manifest, or several by semicolons. Default: buildkit.'
            'prefix=|free|What every object''s name begins with.'
            'blobs_prefix=|free|What names of blobs go on with. Default: blobs/.'
            'manifests_prefix=|free|What names of manifests go on with. Default: manifests/.'
            'secret_access_key=|free|Key. Default: what the daemon has.'
        )
        'import-cache' = @(
            'type=|words import-cache-type|Where the cache is.'
        )
        'import-cache-type' = @(
            'registry||an image of its own in a registry'
            'local||an OCI layout in a folder here'
            'gha||GitHub''s cache for Actions'
            's3||a bucket of S3'
            'azblob||Azure Blob Storage'
        )
        'import-cache.registry' = @(
            'ref=|free|Image that holds the cache; needed.'
            'registry.insecure=|words bool|Allow plain HTTP or unknown certificates.'
        )
        'import-cache.local' = @(
            'src=|dir|Folder that is read; needed.'
            'digest=|free|Manifest to import, instead of a tag.'
            'tag=|free|Tag in the layout''s index. Default: latest.'
        )
        'import-cache.gha' = @(
            'scope=|free|Which cache of the repository. Default: buildkit.'
            'timeout=|free|How long a transfer may take. Default: 10m.'
            'version=|free|API of the service; 2 with $ACTIONS_CACHE_SERVICE_V2.'
            'url=|free|Server. Default: $ACTIONS_CACHE_URL, else $ACTIONS_RESULTS_URL.'
            'url_v2=|free|Server of version 2. Default: $ACTIONS_RESULTS_URL.'
            'token=|free|Token. Default: $ACTIONS_RUNTIME_TOKEN.'
            'repository=|free|Repository, for GitHub''s own API.'
            'ghtoken=|free|Token of GitHub''s own API.'
        )
        'import-cache.s3' = @(
            'bucket=|free|Bucket. Default: the daemon''s $AWS_BUCKET.'
            'region=|free|Region. Default: the daemon''s $AWS_REGION.'
            'name=|free|Manifest, or several by semicolons. Default: buildkit.'
            'prefix=|free|What every object''s name begins with.'
            'blobs_prefix=|free|What names of blobs go on with. Default: blobs/.'
            'manifests_prefix=|free|What names of manifests go on with. Default: manifests/.'
            'secret_access_key=|free|Key. Default: what the daemon has.'
            'access_key_id=|free|Id of the key.'
            'session_token=|free|Token of a session.'
            'endpoint_url=|free|Server, if it is not Amazon''s.'
            'use_path_style=|words bool|Bucket in the path, not in the host.'
            'disable_accept_encoding=|words bool|Sign no Accept-Encoding, for servers such as GCS.'
            'retry_mode=|words retry|How requests are repeated. Default: standard.'
            'retry_max_attempts=|free|How often a request is tried. Default: 3.'
        )
        'import-cache.azblob' = @(
            'account_url=|free|Account. Default: the daemon''s $BUILDKIT_AZURE_STORAGE_ACCOUNT_URL.'
            'account_name=|free|Account''s name, if its URL lacks it.'
            'container=|free|Container. Default: buildkit-cache.'
            'name=|free|Manifest, or several by semicolons. Default: buildkit.'
            'prefix=|free|What every object''s name begins with.'
            'blobs_prefix=|free|What names of blobs go on with. Default: blobs/.'
            'manifests_prefix=|free|What names of manifests go on with. Default: manifests/.'
            'secret_access_key=|free|Key. Default: what the daemon has.'
        )
        'cache-mode' = @(
            'min||layers of the result'
            'max||layers of every step'
        )
        'retry' = @(
            'standard||'
            'adaptive||'
        )
        'bool' = @(
            'true||'
            'false||'
        )
        'addr' = @(
            'unix://|file|socket here: unix:///run/buildkit/buildkitd.sock'
            'tcp://|free|HOST:PORT, with the TLS flags encrypted'
            'docker://|file|BuildKit inside a Docker Engine; nothing more, a socket or HOST:PORT'
            'daemonless://||a daemon of its own for this one command'
            'docker-container://|free|NAME of a Docker container'
            'podman-container://|free|NAME of a Podman container'
            'nerdctl-container://|free|NAME of a nerdctl container'
            'kube-pod://|free|NAME of a Kubernetes pod'
            'ssh://|free|[USER@]HOST[:PORT] that is reached with ssh'
            'unix-abstract:|free|NAME of an abstract socket'
            'dns:///|free|HOST:PORT, resolved by gRPC'
        )
        'allow' = @(
            'network.host||the daemon''s network for steps'
            'security.insecure||steps without a sandbox'
            'device||every device'
            'device=|free|NAME of a CDI device'
        )
        'filter' = @(
            'id==|free|record with this id'
            'type==|words record-type|kind of record'
            'description~=|free|expression that matches the description'
            'parents==|free|record with this parent'
            'inuse||records in use'
            'mutable||records that may change'
            'immutable||records that do not change'
            'shared||records also used by others'
            'private||records used by nothing else'
        )
        'record-type' = @(
            'regular||layers of steps'
            'internal||what the daemon keeps for itself'
            'frontend||frontends from images'
            'source.local||local folders'
            'source.git.checkout||Git checkouts'
            'exec.cachemount||cache mounts of steps'
        )
        'worker-filter' = @(
            'id==|workers|worker with this id'
            'labels.|free|KEY==VALUE, workers with this label'
        )
        'sort' = @(
            'size||largest first'
            'last-used||last used first'
            'count||most often used first'
            'created||newest first'
        )
        'group-by' = @(
            'type||kinds of record'
            'description||what made them'
        )
        'format' = @(
            'json||JSON instead of a Go template'
        )
        'local' = @(
            'context=|dir|what COPY and ADD read'
            'dockerfile=|dir|where the Dockerfile is'
            '*=|dir|'
        )
        'context-check' = @(
            'metadata||names, sizes and times, as daemons do'
            'content||bytes, too'
        )
        'on-unreadable' = @(
            'error||the build fails'
            'skip||they are left out'
            'empty||files without content, folders without entries'
        )
        'oci-layout' = @(
            '*=|dir|'
        )
        'log-format' = @(
            'text||'
            'json||'
        )
        'metrics' = @(
            'stdout||'
            'stderr||'
        )
        'progress' = @(
            'auto||tty on a terminal, in a CI job that of its service, else plain'
            'tty||a live tree'
            'plain||lines, for logs'
            'rawjson||one JSON object a line'
            'quiet||nothing'
            'errors||nothing but the logs of failed steps'
            'grouped||lines, each step''s together'
            'github||sections of GitHub Actions'
            'gitlab||sections of GitLab CI/CD'
            'buildkite||groups of Buildkite'
            'azure||groups of Azure Pipelines'
            'teamcity||blocks of TeamCity'
        )
        'secret' = @(
            'id=|free|Name that the build asks for.'
            'src=|file|File with the secret.'
            'env=|free|Variable with the secret.'
            'type=|words secret-type|Where it is looked up.'
        )
        'secret-type' = @(
            'file||src is a file'
            'env||src is a variable'
        )
        'ssh' = @(
            'default=|file|agent socket or keys for the default id'
            '*=|file|'
        )
        'tlscontext' = @(
            'host=|free|Registry that the certificates are for.'
            'ca=|file|CA certificate (PEM).'
            'cert=|file|Client certificate (PEM).'
            'key=|file|Key of the client certificate (PEM).'
            'insecure=|words bool|Accept any certificate.'
        )
        'auth-hosts' = @(
            'auto||those that the command line, the Dockerfile and the policy name'
            'none||none'
        )
        'shell' = @(
            'bash||'
            'fish||'
            'pwsh||'
            'zsh||'
        )
    }
    $state = @{ At = 'buildctl'; Folder = '.'; File = 'Dockerfile'; Connection = @() }
    $answers = [System.Collections.Generic.List[object]]::new()

    function Find-Row($set, $word) {
        foreach ($row in $tables[$set]) {
            $cells = $row.Split('|')
            if ($cells[0] -ceq $word) { return , $cells }
        }
    }

    function Find-Flag($typed) {
        foreach ($name in $typed, "-$typed") { # -opt is --opt
            foreach ($set in "flags $($state.At)", 'global flags') {
                $cells = Find-Row $set $name
                if ($cells) { return , $cells }
            }
        }
    }

    function Add-Answer($text, $help) {
        $answers.Add(@{ Text = $text; Help = $(if ($help) { $help } else { $text }) })
    }

    function Save-Value($flag, $given) { # what other answers depend on
        switch -CaseSensitive -Wildcard ("$flag=$given") {
            '--local=dockerfile=*' { $state.Folder = $given.Substring(11) }
            '--opt=filename=*' { $state.File = $given.Substring(9) }
            '--addr=*' { $state.Connection += $flag, $given }
            '--tls*=*' { $state.Connection += $flag, $given }
        }
    }

    function Get-DockerfileName($want) { # the targets or args that the Dockerfile names
        $file = $state.File, 'dockerfile' | ForEach-Object { Join-Path $state.Folder $_ } |
            Where-Object { Test-Path -LiteralPath $_ -PathType Leaf } | Select-Object -First 1
        if (-not $file) { return }
        foreach ($line in Get-Content -LiteralPath $file) {
            if ($want -eq 'targets' -and $line -match '^\s*FROM\s.*\sAS\s+([a-z][a-z0-9_.-]*)\s*$') { $Matches[1] }
            if ($want -eq 'args' -and $line -match '^\s*ARG\s+(.+)$') {
                $rest = $Matches[1] -replace '"[^"]*"|''[^'']*''', ''
                $rest.Split() -replace '=.*', '' | Where-Object { $_ -match '^[A-Za-z_][A-Za-z0-9_]*$' } |
                    ForEach-Object { "$_=" }
            }
        }
    }

    function Add-Path($kind, $typed, $before, $folder) {
        $head = $typed -replace '[^/\\]*$', ''
        $place = Join-Path $folder $(if ($head) { $head } else { '.' })
        if ([System.IO.Path]::IsPathRooted($head)) { $place = $head }
        foreach ($item in Get-ChildItem -LiteralPath $place -ErrorAction SilentlyContinue) {
            if ($item.PSIsContainer) { Add-Answer "$before$head$($item.Name)/" 'folder' }
            elseif ($kind -ne 'dir') { Add-Answer "$before$head$($item.Name)" 'file' }
        }
    }

    function Add-Words($set, $typed, $before, $given) { # given: the fields that are there already
        $begun = ''
        $next = ''
        foreach ($row in $tables[$set]) { # the longest word that is typed whole and wants more
            $text, $value, $help = $row.Split('|')
            if ($text -ceq '*=') {
                if (-not $begun -and $typed.Contains('=')) {
                    $begun = $typed.Substring(0, $typed.IndexOf('=') + 1)
                    $next = $value
                }
            }
            elseif ($value -and $typed.StartsWith($text) -and $text.Length -gt $begun.Length) {
                $begun = $text
                $next = $value
            }
        }
        if ($begun) {
            Add-Value $next $typed.Substring($begun.Length) "$before$begun"
            return
        }
        foreach ($row in $tables[$set]) {
            $text, $value, $help = $row.Split('|')
            if ($text -cne '*=' -and -not ",$given".Contains(",$text")) { Add-Answer "$before$text" $help }
        }
    }

    function Add-Value($kind, $typed, $before) { # kind: what is due; typed: what is there of it
        $what, $set = $kind.Split(' ', 2)
        switch ($what) {
            'file' { Add-Path 'file' $typed $before '.' }
            'dir' { Add-Path 'dir' $typed $before '.' }
            'dockerfile' { Add-Path 'file' $typed $before $state.Folder }
            'targets' { Get-DockerfileName 'targets' | ForEach-Object { Add-Answer "$before$_" } }
            'args' {
                Add-Words 'args' $typed $before
                Get-DockerfileName 'args' | ForEach-Object { Add-Answer "$before$_" }
            }
            { $_ -in 'refs', 'workers' } {
                $connection = $state.Connection
                & $program @connection __complete $what 2>$null | # only words
                    Where-Object { $_ -match '^[A-Za-z0-9][A-Za-z0-9._-]*$' } | ForEach-Object { Add-Answer "$before$_" }
            }
            'words' { Add-Words $set $typed $before }
            { $_ -in 'list', 'fields' } {
                $given = ''
                $comma = $typed.LastIndexOf(',') + 1
                $given = $typed.Substring(0, $comma)
                if ($what -eq 'fields' -and ",$given" -match ',type=([^,]*),' -and $tables["$set.$($Matches[1])"]) {
                    $set = "$set.$($Matches[1])"
                }
                $used = if ($what -eq 'fields') { $given } else { '' }
                Add-Words $set $typed.Substring($comma) "$before$given" $used
            }
        }
    }

    # The words up to the cursor, as typed: PowerShell's own notion of a word may end at a comma.
    $line = $commandAst.ToString()
    $length = $cursorPosition - $commandAst.Extent.StartOffset
    $line = $line.PadRight([Math]::Max($length, 0)).Substring(0, [Math]::Max($length, 0))
    $words = @([regex]::Split($line, '\s+'))
    $program = $words[0]
    $current = $words[-1].TrimStart('"', "'")

    $kind = ''
    $flag = ''
    for ($i = 1; $i -lt $words.Count - 1; $i++) {
        $word = $words[$i].Trim('"', "'")
        if ($kind) {
            Save-Value $flag $word
            $kind = ''
        }
        elseif ($word -like '-*=*') {
            $name, $given = $word.Split('=', 2)
            Save-Value $name $given
        }
        elseif ($word.StartsWith('-')) {
            $cells = Find-Flag $word
            $flag = $word
            $kind = if ($cells) { $cells[1] } else { '' }
        }
        else {
            $cells = Find-Row "names $($state.At)" $word
            if ($cells) { $state.At = $cells[1] }
        }
    }

    if ($kind) {
        Add-Value $kind $current ''
    }
    elseif ($current -like '-*=*') {
        $name, $typed = $current.Split('=', 2)
        $cells = Find-Flag $name
        if ($cells) { Add-Value $(if ($cells[1]) { $cells[1] } else { 'words bool' }) $typed "$name=" }
    }
    elseif ($current.StartsWith('-')) {
        foreach ($row in @($tables["flags $($state.At)"]) + @($tables['global flags'])) {
            if ($row) {
                $text, $value, $help = $row.Split('|')
                Add-Answer $text $help
            }
        }
    }
    elseif ($tables["commands $($state.At)"]) {
        Add-Words "commands $($state.At)" $current ''
    }
    elseif ($tables["argument $($state.At)"]) {
        $cells = Find-Row "argument $($state.At)" ''
        Add-Value $cells[1] $current ''
    }

    # An answer replaces $wordToComplete only, which may be the end of the word.
    $settled = if ($current.EndsWith($wordToComplete)) { $current.Length - $wordToComplete.Length } else { 0 }
    foreach ($answer in $answers) {
        if ($answer.Text.StartsWith($current)) {
            $text = $answer.Text.Substring($settled)
            if ($text -notmatch '^[A-Za-z0-9_.,:=/+-]*$') { # a file's name may be code
                $text = "'" + [System.Management.Automation.Language.CodeGeneration]::EscapeSingleQuotedStringContent($text) + "'"
            }
            [System.Management.Automation.CompletionResult]::new($text, $answer.Text, 'ParameterValue', $answer.Help)
        }
    }
}
