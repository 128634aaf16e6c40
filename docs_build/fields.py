"""Records, sections of a recipe and named tuples get their constructor on import; read statically, they have none."""

from __future__ import annotations

from typing import Any

from griffe import Class, Extension, Function, Parameter, ParameterKind, Parameters

BASES = {"BaseModel", "NamedTuple", "Record", "Section"}


class Fields(Extension):
    """Shows the fields of a pydantic model or of a named tuple as the arguments it takes."""

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """Add the constructor."""
        if not {str(base) for base in cls.bases} & BASES or "__init__" in cls.members:
            return
        is_tuple = "NamedTuple" in map(str, cls.bases)
        kind = ParameterKind.positional_or_keyword if is_tuple else ParameterKind.keyword_only
        fields = [
            Parameter(name, annotation=member.annotation, kind=kind, default=member.value)
            for name, member in cls.members.items()
            if member.is_attribute and "property" not in member.labels and member.annotation and name[0] != "_"
        ]
        first = Parameter("self", kind=ParameterKind.positional_only)
        cls.set_member("__init__", Function("__init__", parameters=Parameters(first, *fields), parent=cls))
