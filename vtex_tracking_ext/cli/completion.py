"""The command completion: scripts for bash, zsh and fish that complete commands, options, their values and files.

The scripts contain all names, so pressing Tab does not start Python. They are made from the parser and need no library:
shtab and argcomplete would be dependencies of every user, and argcomplete starts Python at each Tab.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .exit_codes import ExitCode
from .output import say, warn
from .parser.tree import first_clause, help_text, takes_file, takes_value, values_of, walk

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from .parser.command_parser import CommandParser


def completion(parsed: argparse.Namespace) -> ExitCode:
    """Print the script of a shell."""
    from .parser.commands import build_parser  # noqa: PLC0415 - it refers to this module

    if not say("\n".join(_SCRIPTS[parsed.shell](build_parser()))):
        warn("vtex-tracking completion: standard output cannot be written.")
        return ExitCode.INCOMPLETE
    return ExitCode.OK


def _bash(parser: CommandParser) -> Iterator[str]:
    """Yield the lines of the script for bash, from version 3.2 on, which macOS has."""
    commands = [(" ".join(path), command) for path, command in walk(parser)]
    # The keys of both case statements are the command, a space, and a word: " push", "orders import".
    steps = "|".join(f'"{path} {name}"' for path, command in commands for name in command.commands)
    yield "# Completion of vtex-tracking for bash. Made by: vtex-tracking completion bash"
    yield "_vtex_tracking() {"
    yield '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" words="" i'
    yield "    # bash splits --option=value into three words."
    yield '    if [[ "$current" == "=" ]]; then current=""'
    yield '    elif [[ "$previous" == "=" ]]; then previous="${COMP_WORDS[COMP_CWORD-2]}"; fi'
    yield "    for ((i = 1; i < COMP_CWORD; i++)); do"
    yield '        case "$command ${COMP_WORDS[i]}" in'
    yield f'            {steps}) command="${{command:+$command }}${{COMP_WORDS[i]}}" ;;'
    yield "        esac"
    yield "    done"
    yield "    COMPREPLY=()"
    yield '    case "$command $previous" in'
    files, other = [], []
    for path, command in commands:
        for option in filter(takes_value, command.options):
            keys = [f'"{path} {name}"' for name in option.option_strings]
            if takes_file(option):
                files += keys
            elif values := values_of(option):
                yield f'        {"|".join(keys)}) words="{" ".join(values)}" ;;'
            else:
                other += keys
    yield f"        {'|'.join(files)}) _vtex_tracking_files; return ;;"
    yield f"        {'|'.join(other)}) return ;;"
    yield "        *)"
    yield '            case "$command" in'
    for path, command in commands:
        options = " ".join(name for option in command.options for name in option.option_strings)
        others = " ".join([*command.commands, *(value for each in command.positionals for value in values_of(each))])
        yield f'                "{path}") words="{options}"'
        if any(map(takes_file, command.positionals)):
            yield '                    [[ "$current" == -* ]] || { _vtex_tracking_files; return; } ;;'
        else:
            yield f'                    [[ "$current" == -* ]] || words="{others}" ;;'
    yield "            esac ;;"
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield "}"
    yield "_vtex_tracking_files() {"
    yield "    # bash 3.2 has no compopt."
    yield "    compopt -o default 2>/dev/null && return"
    yield "    local IFS=$'\\n'"
    yield '    COMPREPLY=($(compgen -f -- "$current"))'
    yield "}"
    yield "complete -F _vtex_tracking vtex-tracking"


def _zsh(parser: CommandParser) -> Iterator[str]:
    """Yield the lines of the script for zsh: a function for each command, which calls those of the commands below."""
    yield "#compdef vtex-tracking"
    yield "# Completion of vtex-tracking for zsh. Made by: vtex-tracking completion zsh"
    for path, command in walk(parser):
        yield f"{_function(path)}() {{"
        specifications = [*_zsh_options(command)]
        if command.commands:
            yield "    local context state state_descr line"
            yield "    typeset -A opt_args"
            specifications += ["'1:command:->command'", "'*::argument:->argument'"]
        else:
            specifications += _zsh_positionals(command)
        yield f"    _arguments {'-C ' if command.commands else ''}\\"
        yield " \\\n".join(f"        {each}" for each in specifications)
        if command.commands:
            yield '    case "$state" in'
            yield "        command)"
            yield "            local -a commands"
            described = " ".join(_zsh_quoted(f"{n}:{each.summary}") for n, each in command.commands.items())
            yield f"            commands=({described})"
            yield "            _describe command commands ;;"
            yield "        argument)"
            yield '            case "$words[1]" in'
            yield from (f"                {name}) {_function((*path, name))} ;;" for name in command.commands)
            yield "            esac ;;"
            yield "    esac"
        yield "}"
    # As a file _vtex-tracking of fpath, this is the body of the function; else it is sourced.
    yield 'if [ "$funcstack[1]" = "_vtex-tracking" ]; then _vtex_tracking "$@"'
    yield "else compdef _vtex_tracking vtex-tracking; fi"


def _function(path: Iterable[str]) -> str:
    return "_".join(["_vtex_tracking", *path]).replace("-", "_")


def _zsh_options(command: CommandParser) -> Iterator[str]:
    for option in command.options:
        described = _escaped(first_clause(help_text(command, option)), "[]:\\")
        value = f":{_escaped(_value_name(option), ':')}:{_zsh_values(option)}" if takes_value(option) else ""
        for name in option.option_strings:
            # Behind an equals sign, argparse accepts one value only.
            equals = "=" if value and option.nargs is None else ""
            yield _zsh_quoted(f"*{name}{equals}[{described}]{value}")


def _zsh_positionals(command: CommandParser) -> Iterator[str]:
    for number, each in enumerate(command.positionals, 1):
        place = {"*": "*:", "+": "*:", "?": f"{number}::"}.get(str(each.nargs), f"{number}:")
        yield _zsh_quoted(f"{place}{_value_name(each)}:{_zsh_values(each)}")


def _zsh_values(argument: argparse.Action) -> str:
    if takes_file(argument):
        return "_files"
    values = values_of(argument)
    return f"({' '.join(values)})" if values else " "


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _escaped(text: str, characters: str) -> str:
    return "".join(f"\\{each}" if each in characters else each for each in text)


def _value_name(option: argparse.Action) -> str:
    name = option.metavar or option.dest
    return name if isinstance(name, str) else " ".join(name)


def _fish(parser: CommandParser) -> Iterator[str]:
    """Yield the lines of the script for fish."""
    commands = [(" ".join(path), command) for path, command in walk(parser)]
    steps = " ".join(f'"{path} {name}"' for path, command in commands for name in command.commands)
    yield "# Completion of vtex-tracking for fish. Made by: vtex-tracking completion fish"
    yield "function __vtex_tracking_is --description 'Whether the command so far is this one'"
    yield "    set -l command"
    yield "    for word in (commandline -opc)[2..-1]"
    yield f'        if contains -- "$command $word" {steps}'
    yield "            set -a command $word"
    yield "        end"
    yield "    end"
    yield '    test "$command" = "$argv[1]"'
    yield "end"
    yield "complete -c vtex-tracking -f"
    for path, command in commands:
        line = f"complete -c vtex-tracking -n '__vtex_tracking_is \"{path}\"'"
        for name, each in command.commands.items():
            yield f"{line} -a {name} -d {_fish_quoted(each.summary)}"
        for argument in command.positionals:
            values = values_of(argument)
            if takes_file(argument):
                yield f"{line} -F"
            elif values:
                yield f'{line} -a "{" ".join(values)}"'
        for option in command.options:
            names = " ".join(
                f"-{'l' if name.startswith('--') else 's'} {name.lstrip('-')}" for name in option.option_strings
            )
            described = _fish_quoted(first_clause(help_text(command, option)))
            values, value = values_of(option), ""
            if takes_file(option):
                value = " -r -F"
            elif values:
                value = f' -x -a "{" ".join(values)}"'
            elif takes_value(option):
                value = " -x"
            yield f"{line} {names}{value} -d {described}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_SCRIPTS: dict[str, Callable[[CommandParser], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
