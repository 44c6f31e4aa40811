# bash completion for buildctl. Generated: python -m buildctl.cli.completion.generate
# Only refs and workers are asked of the daemon; all else is answered from the tables below.

__buildctl_rows() { # $1: a set. Its rows, text|value, into the caller's $rows; fails if there is none
    case $1 in
        @TABLES@
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
@AWK@
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
        builds)
            __buildctl_paths -f "$typed" "$before"
            __buildctl_value refs "$typed" "$before"
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
