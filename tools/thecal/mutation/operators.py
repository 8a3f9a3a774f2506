"""A change that Cosmic Ray does not make by itself: a statement that is not there."""

# pyright: reportMissingImports=false, reportIncompatibleMethodOverride=false
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cosmic_ray.operators.operator import Example, Operator
from parso.python import tree


class RemoveStatement(Operator):
    """A call, an assignment or a `return` is replaced by `pass`; texts that stand alone are left."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(node, tree.PythonNode) and node.type == "simple_stmt":
            first = node.children[0]
            if first.type in ("atom_expr", "expr_stmt", "return_stmt"):
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        first = node.children[0]
        node.children[0] = tree.Keyword("pass", first.start_pos, prefix=first.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("f(x)\n", "pass\n"), Example("self.x = 1\n", "pass\n"))


class Provider:
    """Cosmic Ray asks for operators by their names."""

    _OPERATORS = {RemoveStatement.__name__: RemoveStatement}

    def __iter__(self) -> Iterator[str]:
        return iter(self._OPERATORS)

    def __getitem__(self, name: str) -> type[Operator]:
        return self._OPERATORS[name]
