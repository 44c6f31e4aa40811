# fish completion for buildctl. Generated: python -m buildctl.cli.completion.generate
# Only refs and workers are asked of the daemon; all else is answered from the tables below.

function __buildctl_rows --argument-names set # the rows of a set: text|value|help
    switch $set
        @TABLES@
    end
end

function __buildctl_find --argument-names set word # the value of a word in a set; fails if it is not there
    for row in (__buildctl_rows $set)
        set -l cells (string split '|' -- $row)
        if test "$cells[1]" = "$word"
            echo $cells[2]
            return
        end
    end
    return 1
end

function __buildctl_flag --argument-names typed # the kind of a flag's value; fails for a flag that is none
    for flag in "$typed" "-$typed" # -opt is --opt
        __buildctl_find "flags $__buildctl_at" $flag; and return
        __buildctl_find 'global flags' $flag; and return
    end
    return 1
end

function __buildctl_note --argument-names flag given # keep what other answers depend on
    switch "$flag=$given"
        case '--local=dockerfile=*'
            set -g __buildctl_folder (string replace dockerfile= '' -- $given)
        case '--opt=filename=*'
            set -g __buildctl_file (string replace filename= '' -- $given)
        case '--addr=*' '--tls*=*' '-addr=*' '-tls*=*'
            set -g __buildctl_connection $__buildctl_connection $flag $given
    end
end

function __buildctl_dockerfile --argument-names want # the targets or args that the Dockerfile names
    for file in $__buildctl_folder/$__buildctl_file $__buildctl_folder/dockerfile
        if test -f $file
            awk -v want=$want '
@AWK@
' <$file
            return
        end
    end
end

function __buildctl_names --argument-names before # the rest: names, of which only words are offered
    set -l names (string match --regex '^[A-Za-z0-9_][A-Za-z0-9_.=-]*$' -- $argv[2..])
    set -q names[1]; and printf '%s\n' "$before"$names
end

function __buildctl_paths --argument-names kind typed before folder # files or folders, seen from a folder
    set -l skipped (math (string length -- "$folder") + 1)
    for path in "$folder$typed"*
        string match -q --regex '\n' -- $path; and continue # would be two answers
        set -l name (string sub --start $skipped -- $path)
        if test -d $path
            printf '%s\n' "$before$name/"
        else if test $kind = file
            printf '%s\n' "$before$name"
        end
    end
end

function __buildctl_words --argument-names set typed before given # given: the fields that are there already
    set -l rows (__buildctl_rows $set)
    set -l begun ''
    set -l next ''
    if string match -q '*=*' -- "$typed"; and set next (__buildctl_find $set '*=')
        set begun (string replace -r '=.*' '=' -- $typed)
    end
    set -l known ''
    for row in (string match -- (string sub --length 1 -- "$typed")'?*|?*' $rows) # words that want more
        test -n "$typed"; or break
        set -l cells (string split '|' -- $row)
        set -l head (string sub --length (string length -- $cells[1]) -- $typed)
        if test -n "$cells[2]" -a "$cells[1]" = "$head"; and string match -q -- "$known*" $head
            set known $head # the longest one
            set begun $head
            set next $cells[2]
        end
    end
    if test -n "$begun"
        set -l rest (string sub --start (math (string length -- $begun) + 1) -- $typed)
        __buildctl_value $next "$rest" $before$begun
        return
    end
    for key in '*=' (string match -r '^[^=]+=' -- (string split , -- "$given"))
        set rows (string match --invert --regex '^'(string escape --style=regex -- $key)'\|' $rows)
    end
    set -l lines (string replace -r '\|[^|]*\|' \t -- $rows)
    set -q lines[1]; and printf '%s\n' "$before"$lines
end

function __buildctl_value --argument-names kind typed before # kind: what is due; typed: what is there of it
    set -l set (string replace -r '^\S+ ' '' -- $kind)
    set -l given ''
    switch $kind
        case file dir
            __buildctl_paths $kind "$typed" "$before"
        case dockerfile
            __buildctl_paths file "$typed" "$before" $__buildctl_folder/
        case targets
            __buildctl_names "$before" (__buildctl_dockerfile targets)
        case args
            __buildctl_words args "$typed" "$before"
            __buildctl_names "$before" (__buildctl_dockerfile args)
        case builds
            __buildctl_paths file "$typed" "$before"
            __buildctl_value refs "$typed" "$before"
        case refs workers
            __buildctl_names "$before" ($__buildctl_program $__buildctl_connection __complete $kind 2>/dev/null)
        case 'words *'
            __buildctl_words $set "$typed" "$before"
        case 'list *' 'fields *'
            if string match -q '*,*' -- $typed
                set given (string replace -r '[^,]*$' '' -- $typed)
                set typed (string replace -r '.*,' '' -- $typed)
            end
            set before $before$given
            set -l type (string match -r '(?:^|,)type=([^,]*),' -- $given)
            if string match -q 'list *' -- $kind
                set given ''
            else if set -q type[2]; and test -n "$type[2]"; and count (__buildctl_rows $set.$type[2]) >/dev/null
                set set $set.$type[2]
            end
            __buildctl_words $set "$typed" "$before" "$given"
    end
end

function __buildctl_complete
    set -l tokens (commandline -opc)
    set -l typed (commandline -ct | string replace -r '^["\']' '')
    set -l kind ''
    set -l flag ''
    set -g __buildctl_program $tokens[1]
    set -g __buildctl_at buildctl
    set -g __buildctl_folder .
    set -g __buildctl_file Dockerfile
    set -g __buildctl_connection
    for token in $tokens[2..]
        if test -n "$kind"
            __buildctl_note $flag $token
            set kind ''
        else if string match -q -- '-*=*' $token
            __buildctl_note (string split -m 1 = -- $token)
        else if string match -q -- '-*' $token
            set flag $token
            set kind (__buildctl_flag $token)
        else if set -l leads_to (__buildctl_find "names $__buildctl_at" $token)
            set __buildctl_at $leads_to
        end
    end
    if test -n "$kind"
        __buildctl_value $kind "$typed" ''
    else if string match -q -- '-*=*' $typed
        set -l parts (string split -m 1 = -- $typed)
        if set kind (__buildctl_flag $parts[1])
            test -n "$kind"; or set kind 'words bool'
            __buildctl_value $kind "$parts[2]" "$parts[1]="
        end
    else if string match -q -- '-*' $typed
        string replace -r '\|[^|]*\|' \t -- (__buildctl_rows "flags $__buildctl_at") (__buildctl_rows 'global flags')
    else if count (__buildctl_rows "commands $__buildctl_at") >/dev/null
        __buildctl_words "commands $__buildctl_at" "$typed" ''
    else
        set kind (__buildctl_find "argument $__buildctl_at" '')
        and __buildctl_value "$kind" "$typed" ''
    end
end

complete --command buildctl --no-files --arguments '(__buildctl_complete)'
