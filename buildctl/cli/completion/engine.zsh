#compdef buildctl
# zsh completion for buildctl. Generated: python -m buildctl.cli.completion.generate
# Only refs and workers are asked of the daemon; all else is answered from the tables below.

__buildctl_rows() { # $1: a set. Its rows, text|value|help, into the caller's $rows; fails if there is none
    case $1 in
        @TABLES@
        *) rows=() && return 1 ;;
    esac
}

__buildctl_find() { # $1: a set, $2: a word of it. Its value into the caller's $value
    local rows row
    local -a cells
    __buildctl_rows "$1" || return
    for row in $rows; do
        cells=("${(@s:|:)row}")
        [[ $cells[1] == $2 ]] && value=$cells[2] && return
    done
    return 1
}

__buildctl_flag() { # $1: a flag as typed. Its name into the caller's $flag, its value's kind into $value
    for flag in "$1" "-$1"; do # -opt is --opt
        __buildctl_find "flags $at" "$flag" && return
        __buildctl_find 'global flags' "$flag" && return
    done
    flag='' value=''
}

__buildctl_note() { # Keep what other answers depend on: $1: a flag, $2: its value
    case $1=$2 in
        (--local=dockerfile=*) folder=${2#*=} ;;
        (--opt=filename=*) dockerfile=${2#*=} ;;
        (--addr=*|--tls*=*|-addr=*|-tls*=*) connection+=("$1" "$2") ;;
    esac
}

__buildctl_dockerfile() { # $1: targets or args. What the Dockerfile names, into the caller's $found
    local file
    for file in $folder/$dockerfile $folder/dockerfile; do
        if [[ -f $file ]]; then
            found=("${(@f)$(awk -v want=$1 '
@AWK@
' <$file)}")
            found=(${(M)found:#[A-Za-z0-9_][A-Za-z0-9_.=-]#}) # only words
            return
        fi
    done
}

__buildctl_words() { # $1: a set, $2: the fields that are given already, $3: $found words that more follows too
    local rows row begun next
    local -a cells whole open
    __buildctl_rows "$1"
    for row in $rows; do # the longest word that is typed whole and wants more
        cells=("${(@s:|:)row}")
        if [[ $cells[1] == '*=' && -z $begun && $PREFIX == *=* ]]; then
            begun=${PREFIX%%=*}= next=$cells[2]
        elif [[ -n $cells[2] && $PREFIX == ${(b)cells[1]}* && ${#cells[1]} -gt ${#begun} ]]; then
            begun=$cells[1] next=$cells[2]
        fi
    done
    if [[ -n $begun ]]; then
        compset -p ${#begun}
        __buildctl_value "$next"
        return
    fi
    for row in $rows; do
        cells=("${(@s:|:)row}")
        [[ $cells[1] == '*=' || ,$2 == *,${(b)cells[1]}* ]] && continue
        if [[ -n $cells[2] ]]; then
            open+=("${cells[1]//:/\\:}:$cells[3]")
        else
            whole+=("${cells[1]//:/\\:}:$cells[3]")
        fi
    done
    open+=("${(@)found//:/\\:}")
    _describe -t values value whole -- open -S ''
}

__buildctl_value() { # $1: the kind that is due; what is typed of it is in $PREFIX
    local given set
    local -a found match mbegin mend places=("$folder/")
    case $1 in
        (file) _files ;;
        (dir) _files -/ ;;
        (dockerfile) _files -W places ;;
        (targets) __buildctl_dockerfile targets && compadd -a found ;;
        (args) __buildctl_dockerfile args; __buildctl_words args ;;
        (builds)
            __buildctl_value refs
            _files
            ;;
        (refs|workers)
            found=(${(f)"$($words[1] $connection __complete $1 2>/dev/null)"})
            found=(${(M)found:#[A-Za-z0-9_][A-Za-z0-9_.=-]#})
            compadd -a found
            ;;
        (words *) __buildctl_words ${1#* } ;;
        (list *|fields *)
            set=${1#* }
            if [[ $PREFIX == *,* ]]; then
                given=${PREFIX%,*},
                compset -p ${#given}
            fi
            if [[ $1 == list* ]]; then
                given=
            elif [[ ,$given =~ ',type=([^,]*),' ]] && { local rows; __buildctl_rows $set.$match[1] }; then
                set+=.$match[1]
            fi
            __buildctl_words $set $given
            ;;
    esac
}

_buildctl() {
    emulate -L zsh
    setopt extended_glob no_ksh_arrays
    local word flag kind value row at=buildctl folder=. dockerfile=Dockerfile
    local -a rows cells flags connection found
    for word in "${(@)words[2,CURRENT-1]}"; do
        word=${(Q)word}
        if [[ -n $kind ]]; then
            __buildctl_note "$flag" "$word"
            kind=
        elif [[ $word == -*=* ]]; then
            __buildctl_note "${word%%=*}" "${word#*=}"
        elif [[ $word == -* ]]; then
            __buildctl_flag "$word"
            kind=$value
        elif __buildctl_find "names $at" "$word"; then
            at=$value
        fi
    done

    if [[ -n $kind ]]; then
        __buildctl_value $kind
    elif [[ $PREFIX == -*=* ]]; then
        __buildctl_flag ${PREFIX%%=*}
        [[ -n $flag ]] || return 1
        flag=${PREFIX%%=*}=
        compset -p ${#flag}
        __buildctl_value ${value:-words bool}
    elif [[ $PREFIX == -* ]]; then
        for word in "flags $at" 'global flags'; do
            __buildctl_rows $word
            for row in $rows; do
                cells=("${(@s:|:)row}")
                flags+=("${cells[1]}:$cells[3]")
            done
        done
        _describe -o -t flags flag flags
    elif __buildctl_rows "commands $at"; then
        __buildctl_words "commands $at"
    elif __buildctl_find "argument $at" ''; then
        __buildctl_value $value
    fi
}

if [[ $funcstack[1] == _buildctl ]]; then # read by compinit as a function
    _buildctl "$@"
else
    compdef _buildctl buildctl
fi
