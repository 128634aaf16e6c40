"""``cosine = Cosine`` in a room's ``__init__`` is a second name of a class; static reading takes it for a value."""

from __future__ import annotations

from typing import Any

from griffe import Alias, Extension, Module


class SecondNames(Extension):
    """Shows what a public name of a room stands for, where it stands for something that the room imported."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Look through every room once all are loaded."""
        for room in (pkg, *pkg.modules.values()):
            if isinstance(room, Module):
                _resolve(room)


def _resolve(room: Module) -> None:
    imported = {name: member.target_path for name, member in room.members.items() if member.is_alias}
    for name, member in list(room.members.items()):
        meant = not member.is_alias and member.is_attribute and str(member.value)
        if name in (room.exports or ()) and meant in imported:
            room.del_member(name)
            room.set_member(name, Alias(name, imported[meant], parent=room))
