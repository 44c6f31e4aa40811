# bash completion for buildctl. Generated: python -m buildctl.cli.completion.generate
# Only refs and workers are asked of the daemon; all else is answered from the tables below.

__buildctl_rows() { # $1: a set. Its rows, text|value, into the caller's $rows; fails if there is none
    case $1 in
        'global flags') rows='--debug|
--addr|words addr
--daemon|free
--log-format|words log-format
--tlsservername|free
--tlscacert|file
--tlscert|file
--tlskey|file
--tlsdir|dir
--timeout|free
--wait|
--stall-timeout|free
--help|' ;;
        'flags buildctl') rows='--version|
-v|' ;;
        'commands buildctl') rows='du|
prune|
prune-histories|
build|
debug|
ps|
attach|
history|
check|
outline|
targets|
why|
compare|
context|
timeline|
replay|
doctor|
daemon|
config|
help|' ;;
        'names buildctl') rows='du|buildctl du
prune|buildctl prune
prune-histories|buildctl prune-histories
build|buildctl build
debug|buildctl debug
ps|buildctl ps
attach|buildctl attach
history|buildctl history
check|buildctl check
outline|buildctl outline
targets|buildctl targets
why|buildctl why
compare|buildctl compare
context|buildctl context
timeline|buildctl timeline
replay|buildctl replay
doctor|buildctl doctor
daemon|buildctl daemon
config|buildctl config
dial-stdio|buildctl dial-stdio
completion|buildctl completion
b|buildctl build
help|buildctl' ;;
        'flags buildctl du') rows='--filter|words filter
-f|words filter
--verbose|
-v|
--sort|words sort
--top|free
--tree|
--group-by|words group-by
--since|free
--until|free
--rules|
--format|words format' ;;
        'flags buildctl prune') rows='--keep-duration|free
--keep-storage|free
--keep-storage-min|free
--free-storage|free
--filter|words filter
-f|words filter
--all|
--verbose|
-v|
--dry-run|
--format|words format' ;;
        'flags buildctl prune-histories') rows='--format|words format' ;;
        'flags buildctl build') rows='--frontend|words frontend
--opt|words opt
--local|words local
--context-check|words context-check
--on-unreadable|words on-unreadable
--shared-key|free
--output|fields output
-o|fields output
--export-cache|fields export-cache
--import-cache|fields import-cache
--oci-layout|words oci-layout
--no-cache|
--assert-cached|
--retries|free
--progress|words progress
--secret|fields secret
--ssh|words ssh
--registry-auth-tlscontext|fields tlscontext
--registry-auth-hosts|words auth-hosts
--allow|words allow
--source-policy-file|file
--proxy-network|
--metadata-file|file
--ref-file|file
--on-error|free
--debug-shell|free
--shell-image|free
--summary|
--timings|file
--timeline|file
--trace|file
--session-log|file
--events|file
--log-dir|dir
--tag|free
-t|free
--file|file
-f|file
--target|free
--build-arg|free
--label|free
--annotation|free
--platform|free
--push|
--load|
--pull|
--build-context|free
--no-cache-filter|free
--iidfile|file
--dry-run|
--format|words format
--debug-json-cache-metrics|words metrics' ;;
        'argument buildctl build') rows='|dir' ;;
        'commands buildctl debug') rows='dump-llb|
dump-metadata|
workers|
info|
monitor|
logs|
ctl|
get|
histories|
help|' ;;
        'names buildctl debug') rows='dump-llb|buildctl debug dump-llb
dump-metadata|buildctl debug dump-metadata
workers|buildctl debug workers
info|buildctl debug info
monitor|buildctl debug monitor
logs|buildctl debug logs
ctl|buildctl debug ctl
get|buildctl debug get
histories|buildctl debug histories
help|buildctl debug' ;;
        'flags buildctl debug dump-llb') rows='--dot|' ;;
        'argument buildctl debug dump-llb') rows='|file' ;;
        'flags buildctl debug dump-metadata') rows='--root|dir' ;;
        'flags buildctl debug workers') rows='--filter|words worker-filter
-f|words worker-filter
--verbose|
-v|
--format|words format' ;;
        'flags buildctl debug info') rows='--format|words format' ;;
        'flags buildctl debug monitor') rows='--completed|
--ref|refs' ;;
        'flags buildctl debug logs') rows='--progress|words progress
--trace|' ;;
        'argument buildctl debug logs') rows='|refs' ;;
        'flags buildctl debug ctl') rows='--pin|
--unpin|
--delete|' ;;
        'argument buildctl debug ctl') rows='|refs' ;;
        'flags buildctl debug histories') rows='--format|words format' ;;
        'flags buildctl ps') rows='--quiet|
-q|' ;;
        'flags buildctl attach') rows='--progress|words progress' ;;
        'argument buildctl attach') rows='|refs' ;;
        'commands buildctl history') rows='ls|
inspect|
logs|
open|
export|
import|
rm|
help|' ;;
        'names buildctl history') rows='ls|buildctl history ls
inspect|buildctl history inspect
logs|buildctl history logs
open|buildctl history open
export|buildctl history export
import|buildctl history import
rm|buildctl history rm
help|buildctl history' ;;
        'flags buildctl history ls') rows='--limit|free
--imported|
--format|words format' ;;
        'flags buildctl history inspect') rows='--format|words format' ;;
        'argument buildctl history inspect') rows='|refs' ;;
        'flags buildctl history logs') rows='--progress|words progress' ;;
        'argument buildctl history logs') rows='|refs' ;;
        'argument buildctl history open') rows='|refs' ;;
        'flags buildctl history export') rows='--output|fields output
-o|fields output
--all|' ;;
        'argument buildctl history export') rows='|refs' ;;
        'argument buildctl history import') rows='|file' ;;
        'flags buildctl history rm') rows='--all|' ;;
        'argument buildctl history rm') rows='|refs' ;;
        'flags buildctl check') rows='--file|file
-f|file
--build-arg|free
--target|free
--format|words format
--strict|' ;;
        'argument buildctl check') rows='|dir' ;;
        'flags buildctl outline') rows='--file|file
-f|file
--build-arg|free
--target|free
--format|words format' ;;
        'argument buildctl outline') rows='|dir' ;;
        'flags buildctl targets') rows='--file|file
-f|file
--build-arg|free
--target|free
--format|words format' ;;
        'argument buildctl targets') rows='|dir' ;;
        'flags buildctl why') rows='--against|refs
--format|words format' ;;
        'argument buildctl why') rows='|refs' ;;
        'argument buildctl compare') rows='|refs' ;;
        'commands buildctl context') rows='ls|
diff|
explain|
help|' ;;
        'names buildctl context') rows='ls|buildctl context ls
diff|buildctl context diff
explain|buildctl context explain
help|buildctl context' ;;
        'flags buildctl context ls') rows='--file|file
-f|file
--depth|free
--rules|
--format|words format' ;;
        'argument buildctl context ls') rows='|dir' ;;
        'flags buildctl context diff') rows='--file|file
-f|file
--local|words local
--format|words format' ;;
        'argument buildctl context diff') rows='|dir' ;;
        'flags buildctl context explain') rows='--file|file
-f|file
--format|words format' ;;
        'argument buildctl context explain') rows='|file' ;;
        'flags buildctl timeline') rows='--output|file
-o|file
--timings|file
--summary|' ;;
        'argument buildctl timeline') rows='|file' ;;
        'flags buildctl replay') rows='--speed|free
--progress|words progress' ;;
        'argument buildctl replay') rows='|file' ;;
        'flags buildctl doctor') rows='--format|words format' ;;
        'commands buildctl daemon') rows='ls|
add|
use|
rm|
inspect|
import|
help|' ;;
        'names buildctl daemon') rows='ls|buildctl daemon ls
add|buildctl daemon add
use|buildctl daemon use
rm|buildctl daemon rm
inspect|buildctl daemon inspect
import|buildctl daemon import
help|buildctl daemon' ;;
        'flags buildctl daemon add') rows='--use|' ;;
        'flags buildctl daemon use') rows='--none|' ;;
        'flags buildctl config') rows='--origin|' ;;
        'argument buildctl completion') rows='|words shell' ;;
        'frontend') rows='dockerfile.v0|
gateway.v0|' ;;
        'opt') rows='target=|targets
filename=|dockerfile
build-arg:|args
platform=|list platform
multi-platform=|words bool
label:|free
no-cache=|targets
context=|free
context:|free
contextsubdir=|free
contextkey=|free
dockerfilekey=|free
local-sessionid:|free
input-metadata:|free
add-hosts=|free
hostname=|free
force-network-mode=|words network
image-resolve-mode=|words resolve
cgroup-parent=|free
shm-size=|free
ulimit=|free
memory=|free
memswap=|free
cpushares=|free
cpuperiod=|free
cpuquota=|free
cpusetcpus=|free
cpusetmems=|free
attest:provenance=|fields provenance
attest:sbom=|fields sbom
requestid=|words request
cache-from=|free
cache-imports=|free
source=|free
cmdline=|free
frontend.caps=|free' ;;
        'args') rows='BUILDKIT_SYNTAX=|free
BUILDKIT_MULTI_PLATFORM=|words bool
BUILDKIT_SANDBOX_HOSTNAME=|free
BUILDKIT_CACHE_MOUNT_NS=|free
BUILDKIT_CONTEXT_KEEP_GIT_DIR=|words bool
BUILDKIT_DOCKERFILE_CHECK=|free
BUILDKIT_ATTEST_PROVENANCE=|free
BUILDKIT_ATTEST_SBOM=|free
BUILDKIT_SBOM_SCAN_CONTEXT=|words bool
BUILDKIT_SBOM_SCAN_STAGE=|free
BUILDKIT_BUILD_NAME=|free
BUILDKIT_INLINE_CACHE=|words bool
SOURCE_DATE_EPOCH=|free
HTTP_PROXY=|free' ;;
        'network') rows='sandbox|
host|
none|' ;;
        'resolve') rows='default|
pull|
local|' ;;
        'request') rows='frontend.subrequests.describe|
frontend.lint|
frontend.outline|
frontend.targets|' ;;
        'platform') rows='linux/amd64|
linux/arm64|
linux/arm/v7|
linux/arm/v6|
linux/386|
linux/ppc64le|
linux/riscv64|
linux/s390x|
windows/amd64|' ;;
        'provenance') rows='mode=|words provenance-mode
version=|words provenance-version
inline-only=|words bool
filename=|free
builder-id=|free
reproducible=|words bool' ;;
        'provenance-mode') rows='min|
max|' ;;
        'provenance-version') rows='v1|
v0.2|' ;;
        'sbom') rows='generator=|free' ;;
        'output') rows='type=|words output-type' ;;
        'output-type') rows='image|
local|
tar|
oci|
docker|' ;;
        'output.image') rows='name=|free
push=|words bool
push-by-digest=|words bool
registry.insecure=|words bool
store=|words bool
unpack=|words bool
name-canonical=|words bool
dangling-name-prefix=|free
danging-name-empty-only=|words bool
annotation.|free
annotation-index.|free
annotation-manifest-descriptor.|free
annotation-index-descriptor.|free
compression=|words compression
compression-level=|free
force-compression=|words bool
oci-mediatypes=|words bool
oci-artifact=|words bool
attestation-inline=|words bool
prefer-nondist-layers=|words bool
rewrite-timestamp=|words bool
source-date-epoch=|free' ;;
        'output.local') rows='dest=|dir
mode=|words local-mode
keep-privileged=|words bool
platform-split=|words bool
attestation-prefix=|free
source-date-epoch=|free' ;;
        'output.tar') rows='dest=|file
platform-split=|words bool
attestation-prefix=|free
source-date-epoch=|free' ;;
        'output.oci') rows='dest=|file
tar=|words bool
name=|free
annotation.|free
annotation-index.|free
annotation-manifest-descriptor.|free
annotation-index-descriptor.|free
compression=|words compression
compression-level=|free
force-compression=|words bool
oci-mediatypes=|words bool
oci-artifact=|words bool
attestation-inline=|words bool
prefer-nondist-layers=|words bool
rewrite-timestamp=|words bool
source-date-epoch=|free' ;;
        'output.docker') rows='dest=|file
tar=|words bool
name=|free
annotation.|free
annotation-index.|free
annotation-manifest-descriptor.|free
annotation-index-descriptor.|free
compression=|words compression
compression-level=|free
force-compression=|words bool
oci-mediatypes=|words bool
oci-artifact=|words bool
attestation-inline=|words bool
prefer-nondist-layers=|words bool
rewrite-timestamp=|words bool
source-date-epoch=|free' ;;
        'local-mode') rows='copy|
delete|' ;;
        'compression') rows='gzip|
zstd|
estargz|
uncompressed|' ;;
        'export-cache') rows='type=|words export-cache-type' ;;
        'export-cache-type') rows='registry|
inline|
local|
gha|
s3|
azblob|' ;;
        'export-cache.registry') rows='mode=|words cache-mode
compression=|words compression
compression-level=|free
force-compression=|words bool
image-manifest=|words bool
oci-mediatypes=|words bool
ignore-error=|words bool
ref=|free
registry.insecure=|words bool' ;;
        'export-cache.local') rows='mode=|words cache-mode
dest=|dir
reset=|words bool
compression=|words compression
compression-level=|free
force-compression=|words bool
image-manifest=|words bool
oci-mediatypes=|words bool
ignore-error=|words bool
tag=|free' ;;
        'export-cache.gha') rows='mode=|words cache-mode
ignore-error=|words bool
scope=|free
timeout=|free
version=|free
url=|free
url_v2=|free
token=|free
repository=|free
ghtoken=|free' ;;
        'export-cache.s3') rows='mode=|words cache-mode
ignore-error=|words bool
touch_refresh=|free
upload_parallelism=|free
bucket=|free
region=|free
name=|free
prefix=|free
blobs_prefix=|free
manifests_prefix=|free
secret_access_key=|free
access_key_id=|free
session_token=|free
endpoint_url=|free
use_path_style=|words bool
disable_accept_encoding=|words bool
retry_mode=|words retry
retry_max_attempts=|free' ;;
        'export-cache.azblob') rows='mode=|words cache-mode
ignore-error=|words bool
account_url=|free
account_name=|free
container=|free
name=|free
prefix=|free
blobs_prefix=|free
manifests_prefix=|free
secret_access_key=|free' ;;
        'import-cache') rows='type=|words import-cache-type' ;;
        'import-cache-type') rows='registry|
local|
gha|
s3|
azblob|' ;;
        'import-cache.registry') rows='ref=|free
registry.insecure=|words bool' ;;
        'import-cache.local') rows='src=|dir
digest=|free
tag=|free' ;;
        'import-cache.gha') rows='scope=|free
timeout=|free
version=|free
url=|free
url_v2=|free
token=|free
repository=|free
ghtoken=|free' ;;
        'import-cache.s3') rows='bucket=|free
region=|free
name=|free
prefix=|free
blobs_prefix=|free
manifests_prefix=|free
secret_access_key=|free
access_key_id=|free
session_token=|free
endpoint_url=|free
use_path_style=|words bool
disable_accept_encoding=|words bool
retry_mode=|words retry
retry_max_attempts=|free' ;;
        'import-cache.azblob') rows='account_url=|free
account_name=|free
container=|free
name=|free
prefix=|free
blobs_prefix=|free
manifests_prefix=|free
secret_access_key=|free' ;;
        'cache-mode') rows='min|
max|' ;;
        'retry') rows='standard|
adaptive|' ;;
        'bool') rows='true|
false|' ;;
        'addr') rows='unix://|file
tcp://|free
docker://|file
daemonless://|
docker-container://|free
podman-container://|free
nerdctl-container://|free
kube-pod://|free
ssh://|free
unix-abstract:|free
dns:///|free' ;;
        'allow') rows='network.host|
security.insecure|
device|
device=|free' ;;
        'filter') rows='id==|free
type==|words record-type
description~=|free
parents==|free
inuse|
mutable|
immutable|
shared|
private|' ;;
        'record-type') rows='regular|
internal|
frontend|
source.local|
source.git.checkout|
exec.cachemount|' ;;
        'worker-filter') rows='id==|workers
labels.|free' ;;
        'sort') rows='size|
last-used|
count|
created|' ;;
        'group-by') rows='type|
description|' ;;
        'format') rows='json|' ;;
        'local') rows='context=|dir
dockerfile=|dir
*=|dir' ;;
        'context-check') rows='metadata|
content|' ;;
        'on-unreadable') rows='error|
skip|
empty|' ;;
        'oci-layout') rows='*=|dir' ;;
        'log-format') rows='text|
json|' ;;
        'metrics') rows='stdout|
stderr|' ;;
        'progress') rows='auto|
tty|
plain|
rawjson|
quiet|
errors|
grouped|
github|
gitlab|
buildkite|
azure|
teamcity|' ;;
        'secret') rows='id=|free
src=|file
env=|free
type=|words secret-type' ;;
        'secret-type') rows='file|
env|' ;;
        'ssh') rows='default=|file
*=|file' ;;
        'tlscontext') rows='host=|free
ca=|file
cert=|file
key=|file
insecure=|words bool' ;;
        'auth-hosts') rows='auto|
none|' ;;
        'shell') rows='bash|
fish|
pwsh|
zsh|' ;;
        *) rows='' && return 1 ;;
    esac
}

__buildctl_find() { # $1: a set, $2: a word of it. Its value into the caller's $value
    local rows text
    __buildctl_rows "$1" || return
    while IFS='|' read -r text value; do
        [[ $text == "$2" ]] && return
    done <<<"$rows"
    return 1
}

__buildctl_split() { # The words up to the cursor into the caller's $words: readline cuts at = and : too
    local rest=${COMP_LINE:0:COMP_POINT} gap piece i
    for ((i = 0; i <= COMP_CWORD; i++)); do
        gap=${rest%%[![:space:]]*}
        rest=${rest#"$gap"}
        piece=${COMP_WORDS[i]}
        ((i == COMP_CWORD)) && piece=$rest
        if [[ -n $gap || $i -eq 0 ]]; then
            words+=("$piece")
        else
            words[${#words[@]} - 1]+=$piece
        fi
        rest=${rest#"$piece"}
    done
}

__buildctl_flag() { # $1: a flag as typed. Its name into the caller's $flag, its value's kind into $value
    for flag in "$1" "-$1"; do # -opt is --opt
        __buildctl_find "flags $at" "$flag" && return
        __buildctl_find 'global flags' "$flag" && return
    done
    flag='' value=''
}

__buildctl_note() { # Keep what other answers depend on: $1: a flag, $2: its value
    local given=${2//[\"\'\\]/}
    case $1=$given in
        --local=dockerfile=*) folder=${given#*=} ;;
        --opt=filename=*) dockerfile=${given#*=} ;;
        --addr=* | --tls*=* | -addr=* | -tls*=*) connection+=("$1" "$given") ;;
    esac
}

__buildctl_offer() { # $1: an answer, $2: not empty if more follows it
    COMPREPLY+=("$1")
    more=$2
}

__buildctl_dockerfile() { # $1: targets or args
    local file
    for file in "$folder/$dockerfile" "$folder/dockerfile"; do
        [[ -f $file ]] && awk -v want="$1" '
    { sub(/\r$/, "") }
    want == "targets" && toupper($1) == "FROM" {
        for (i = 2; i < NF; i++)
            if (toupper($i) == "AS" && $(i + 1) ~ /^[A-Za-z][A-Za-z0-9_.-]*$/) print $(i + 1)
    }
    want == "args" && toupper($1) == "ARG" {
        gsub(/"[^"]*"|\047[^\047]*\047/, "")
        for (i = 2; i <= NF; i++) {
            sub(/=.*/, "", $i)
            if ($i ~ /^[A-Za-z_][A-Za-z0-9_]*$/ && !seen[$i]++) print $i "="
        }
    }
' <"$file" && return
    done
}

__buildctl_lines() { # $1: what is typed, $2: what stands before it, $3: not empty if more follows; lines on stdin
    local line
    while IFS= read -r line; do # only words: of anything else readline would make code
        [[ $line == "$1"* && $line =~ ^[A-Za-z0-9_][A-Za-z0-9_.=-]*$ ]] && __buildctl_offer "$2$line" "$3"
    done
}

__buildctl_paths() { # $1: compgen's option, $2: what is typed, $3: what stands before it, $4: seen from this folder
    local line home slash # readline quotes a name as code (-o filenames leaves some $) unless it can see the file
    while IFS= read -r line; do
        slash='' home=''
        [[ -d ${4:+$4/}$line || $line == '~/'* && -d $HOME/${line:2} ]] && slash=/
        if [[ $current == [\"\']* ]]; then # what means nothing within quotes
            [[ $line == *[!A-Za-z0-9\ _.,:=@%+/~-]* ]] && continue
        else
            [[ $line == '~/'* ]] && home='~/' line=${line:2}
            [[ -n $line ]] && printf -v line %q "$line"
        fi
        __buildctl_offer "$3$home$line$slash" "$slash"
    done < <({ [[ -z $4 ]] || CDPATH='' cd -- "$4"; } >/dev/null 2>&1 && compgen "$1" -- "$2")
}

__buildctl_value() { # $1: the kind that is due, $2: what is typed of it, $3: what stands before it in the word
    local kind=$1 typed=$2 before=$3 given='' set
    case $kind in
        file) __buildctl_paths -f "$typed" "$before" ;;
        dir) __buildctl_paths -d "$typed" "$before" ;;
        dockerfile) __buildctl_paths -f "$typed" "$before" "$folder" ;;
        targets) __buildctl_lines "$typed" "$before" '' < <(__buildctl_dockerfile targets) ;;
        args)
            __buildctl_words args "$typed" "$before" ''
            __buildctl_lines "$typed" "$before" more < <(__buildctl_dockerfile args)
            ;;
        refs | workers)
            __buildctl_lines "$typed" "$before" '' < <("${words[0]}" "${connection[@]}" __complete "$kind" 2>/dev/null)
            ;;
        'words '*) __buildctl_words "${kind#* }" "$typed" "$before" '' ;;
        'list '* | 'fields '*)
            set=${kind#* }
            if [[ $typed == *,* ]]; then
                given=${typed%,*},
                before+=$given typed=${typed##*,}
            fi
            if [[ $kind == list* ]]; then
                given=''
            elif [[ ,$given =~ ,type=([^,]*), ]] && __buildctl_rows "$set.${BASH_REMATCH[1]}"; then
                set+=.${BASH_REMATCH[1]}
            fi
            __buildctl_words "$set" "$typed" "$before" "$given"
            ;;
    esac
}

__buildctl_words() { # $1: a set, $2: what is typed, $3: what stands before it, $4: the fields that are given already
    local rows text value begun='' next=''
    __buildctl_rows "$1"
    while IFS='|' read -r text value; do # the longest word that is typed whole and wants more
        if [[ $text == '*=' && -z $begun && $2 == *=* ]]; then
            begun=${2%%=*}= next=$value
        elif [[ -n $text && -n $value && $2 == "$text"* && ${#text} -gt ${#begun} ]]; then
            begun=$text next=$value
        fi
    done <<<"$rows"
    if [[ -n $begun ]]; then
        __buildctl_value "$next" "${2#"$begun"}" "$3$begun"
        return
    fi
    while IFS='|' read -r text value; do
        [[ $text == "$2"* && $text != '*=' && ,$4 != *",$text"* ]] && __buildctl_offer "$3$text" "$value"
    done <<<"$rows"
}

_buildctl() {
    local words=() connection=() rows value flag kind='' at=buildctl folder=. dockerfile=Dockerfile more=''
    local word current typed strip='' cut i
    COMPREPLY=()
    __buildctl_split
    current=${words[${#words[@]} - 1]}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        if [[ -n $kind ]]; then
            __buildctl_note "$flag" "$word"
            kind=''
        elif [[ $word == -*=* ]]; then
            __buildctl_note "${word%%=*}" "${word#*=}"
        elif [[ $word == -* ]]; then
            __buildctl_flag "$word"
            kind=$value
        elif __buildctl_find "names $at" "$word"; then
            at=$value
        fi
    done

    typed=$current
    case $current in
        [\"\']*) typed=${current:1} ;;
        *) # readline replaces only what follows the last of its breaks
            for i in = : @; do
                cut=${current%"${current##*"$i"}"}
                [[ $COMP_WORDBREAKS == *"$i"* && ${#cut} -gt ${#strip} ]] && strip=$cut
            done
            ;;
    esac
    if [[ -n $kind ]]; then
        __buildctl_value "$kind" "$typed" ''
    elif [[ $typed == -*=* ]]; then
        __buildctl_flag "${typed%%=*}"
        [[ -n $flag ]] && __buildctl_value "${value:-words bool}" "${typed#*=}" "${typed%%=*}="
    elif [[ $typed == -* ]]; then
        for i in "flags $at" 'global flags'; do
            __buildctl_rows "$i" && while IFS='|' read -r word value; do
                [[ $word == "$typed"* ]] && __buildctl_offer "$word" ''
            done <<<"$rows"
        done
    elif __buildctl_rows "commands $at"; then
        __buildctl_words "commands $at" "$typed" '' ''
    elif __buildctl_find "argument $at" ''; then
        __buildctl_value "$value" "$typed" ''
    fi

    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$strip"}
    done
    [[ ${#COMPREPLY[@]} -eq 1 && -n $more ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -F _buildctl buildctl
