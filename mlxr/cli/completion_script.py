"""``mlxr completion``: what a shell needs to complete verbs, options and names of models."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mlxr.cli.verbs import Task, add_verb

EXAMPLES = [
    ('eval "$(mlxr completion bash)"', "in ~/.bashrc"),
    ("mlxr completion zsh > ~/.zfunc/_mlxr", "with ~/.zfunc in fpath, before compinit"),
    ("mlxr completion fish > ~/.config/fish/completions/mlxr.fish", "once"),
]

BASH = r"""
_mlxr_completion() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}" words word prefix
    # By spaces alone: bash takes a name such as llama3.2:1b apart at its colon.
    IFS=$' \t\n' read -ra words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    word="${words[${#words[@]}-1]}"
    COMPREPLY=($(COMP_WORDS="${words[*]}" COMP_CWORD=$((${#words[@]}-1)) _MLXR_COMPLETE=complete_bash "$1" 2>/dev/null))
    if [[ "$word" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
        prefix="${word%"${word##*:}"}"
        COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    fi
    [[ "${COMPREPLY[0]}" == */ ]] && compopt -o nospace
    return 0
}
complete -o default -F _mlxr_completion mlxr
"""

ZSH = r"""#compdef mlxr
_mlxr_completion() {
    local -a found folders
    export COMP_WORDS="${(F)words[1,CURRENT]}" COMP_CWORD=$((CURRENT-1))
    found=(${(f)"$(_MLXR_COMPLETE=complete_bash ${words[1]} 2>/dev/null)"})
    unset COMP_WORDS COMP_CWORD
    folders=(${(M)found:#*/})
    found=(${found:#*/})
    (( $#folders )) && compadd -S '' -- $folders
    (( $#found )) && compadd -- $found
    (( $#folders + $#found )) || _files
}
# Sourced, it is made known; as a file in fpath it is the function itself.
if [[ "$funcstack[1]" == _mlxr ]]; then
    _mlxr_completion "$@"
else
    compdef _mlxr_completion mlxr
fi
"""

FISH = r"""
function _mlxr_completion
    set -l words (commandline -opc) (commandline -ct)
    set -l found (COMP_WORDS=(string join \n -- (string escape -- $words)) COMP_CWORD=(math (count $words) - 1) \
        _MLXR_COMPLETE=complete_bash $words[1] 2>/dev/null | string match --regex '.+')
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command mlxr --no-files --arguments "(_mlxr_completion)"
"""


def register(app: typer.Typer) -> None:
    add_verb(app, "completion", completion, Task.SETUP, EXAMPLES)


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print a script that lets your shell complete verbs, options and names of models."""
    typer.echo({"bash": BASH, "zsh": ZSH, "fish": FISH}[shell].strip())
