"""Every command with its options as one page, read from the commands themselves."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File

PAGE = "commands.md"


def on_files(files: Any, *, config: Any) -> Any:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=page()))
    return files


def page() -> str:
    """What ``surefoot COMMAND --help`` says, command by command."""
    import typer

    from surefoot.cli.commands import app

    group = typer.main.get_command(app)
    lead = (
        "What `surefoot COMMAND --help` says. Results go to standard output, all else to standard error. "
        "Exit codes: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted with the best so far kept."
    )
    parts = ["# Commands", lead]
    for name, command in group.commands.items():  # type: ignore[attr-defined] # a group of typer's
        parts += [f"## surefoot {name} {{ #{name} }}", said(command.help), table(command.params)]
    return "\n\n".join(parts) + "\n"


def said(text: str) -> str:
    r"""A command's help, with its examples as code.

    >>> said("Draw.\n\nExamples:  surefoot schedule --list  |  surefoot schedule cosine")
    'Draw.\n\n```text\nsurefoot schedule --list\nsurefoot schedule cosine\n```'
    """
    text, mark, examples = text.partition("Examples:")
    if not mark:
        return text.strip()
    lines = "\n".join(" ".join(line.split()) for line in examples.split("  |"))
    return f"{text.strip()}\n\n```text\n{lines}\n```"


def table(params: list[Any]) -> str:
    """Its arguments and options."""
    rows = [f"| {_name(param)} | {_about(param)} |" for param in params if not getattr(param, "hidden", False)]
    return "\n".join(["| argument or option | what it is |", "|---|---|", *rows])


def _name(param: Any) -> str:
    value = param.metavar or ("" if getattr(param, "is_flag", False) else param.name.upper())
    shown = value if param.param_type_name == "argument" else f"{max(param.opts, key=len)} {value}".strip()
    return f"`{shown.replace('|', '/')}`"


def _about(param: Any) -> str:
    default = param.default
    is_told = default is not None and not callable(default) and not isinstance(default, bool) and default != ()
    text = " ".join((param.help or "").split()).replace("|", "\\|")
    return f"{text} Default: `{default}`." if is_told and param.param_type_name == "option" else text
