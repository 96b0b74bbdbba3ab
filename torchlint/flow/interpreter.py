"""Walks statements in evaluation order, joining states; knows nothing about torch.

A loop is rehearsed silently until its head is stable, then played once; so each event is told
once, with the joined state. `state` is None where no path arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import libcst as cst

from torchlint.flow.between import next_round
from torchlint.flow.conditions import constant_truth
from torchlint.flow.correlation import joined
from torchlint.flow.expressions import Expressions
from torchlint.flow.state import State, join

if TYPE_CHECKING:
    from torchlint.flow.things import Value
    from torchlint.flow.walk import Walk

_ROUNDS = 8  # a chain of more places than this, each copied from the next, is not followed to its end


class Interpreter:
    """One walk over the statements of one unit."""

    def __init__(self, walk: Walk, expressions: Expressions) -> None:
        self._walk = walk
        self._expressions = expressions
        self._breaks: list[State] = []
        self._continues: list[State] = []
        self._returns: list[State] = []
        self._raises: list[list[State]] = []
        self._table: dict[type[cst.CSTNode], Callable[[cst.CSTNode], None]] = {
            cst.SimpleStatementLine: self._line,
            cst.If: self._if,
            cst.For: self._for,
            cst.While: self._while,
            cst.With: self._with,
            cst.Try: self._try,
            cst.TryStar: self._try,
            cst.Match: self._match,
            cst.FunctionDef: self._function,
            cst.Expr: self._expr,
            cst.Assign: self._assign,
            cst.AnnAssign: self._annotated,
            cst.AugAssign: self._augmented,
            cst.Return: self._return,
            cst.Raise: self._raise,
            cst.Break: self._break,
            cst.Continue: self._continue,
            cst.Assert: self._assert,
            **dict.fromkeys((cst.Global, cst.Nonlocal), self._outer),
            **dict.fromkeys((cst.Import, cst.ImportFrom), self._import),
        }

    def run(self, body: Sequence[cst.CSTNode]) -> State | None:
        """Walk a whole function body; gives the state joined over every way out."""
        outer = self._breaks, self._continues, self._returns, self._raises
        self._breaks, self._continues, self._returns, self._raises = [], [], [], []
        self._block(body)
        ends = [*self._returns, *([self._walk.state] if self._walk.state else [])]
        self._breaks, self._continues, self._returns, self._raises = outer
        self._walk.state = join(ends)
        return self._walk.state

    def _block(self, body: Sequence[cst.CSTNode]) -> None:
        walk = self._walk
        for node in body:
            if walk.state is None:
                return
            walk.file.proceed()
            if (handler := self._table.get(type(node))) is not None:
                handler(node)
            for raised in self._raises:
                if walk.state is not None:
                    raised.append(walk.state)

    def _suite(self, node: cst.BaseSuite) -> None:
        self._block(node.body)

    def _line(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.SimpleStatementLine)
        walk = self._walk
        self._block(node.body)
        if (
            walk.probe is not None
            and walk.hears_writes is not True
            and not walk.calls
            and not walk.rehearsing
            and walk.state is not None
        ):
            walk.probe(node)

    def _if(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.If)
        walk = self._walk
        self._expressions.evaluate(node.test)
        condition, before = self._expressions.condition(node.test), walk.state
        truth = self._expressions.truth(node.test)
        assumed = self._expressions.assumed(node.test) if truth is None else None
        if assumed is not None and walk.calls:
            truth, assumed = assumed, None  # only the callers of a function know its arguments
        if truth is False:
            walk.state = None
        else:
            self._expressions.narrow(node.test, holds=True)
            with self._taken(assumed is not False):
                self._suite(node.body)
        after = walk.state if assumed is not False else None
        walk.state = None if truth is True else before
        self._expressions.narrow(node.test, holds=False)
        if isinstance(node.orelse, cst.If):
            if walk.state is not None:
                self._if(node.orelse)
        elif node.orelse is not None and walk.state is not None:
            with self._taken(assumed is not True):
                self._suite(node.orelse.body)
        fails = walk.state if assumed is not True else None
        walk.state = joined(walk, condition, after, fails)

    def _taken(self, taken: bool, /) -> AbstractContextManager[None]:
        """A branch; of one that a constant rules out no write in place is told."""
        return nullcontext() if taken else self._walk.hearing(writes=False)

    def _for(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.For)
        iterable = self._expressions.evaluate(node.iter)

        def bind(value: Value) -> None:
            self._expressions.assign(node.target, value, node.iter)

        def body() -> None:
            self._suite(node.body)

        def iterate() -> list[State]:
            return self.iterate(
                lambda: bind(self._expressions.element(iterable, node.iter)),
                body,
                at_least_once=self._expressions.runs_at_least_once(node.iter, iterable),
            )

        rounds = self._expressions.rounds(iterable, node.body) if self._walk.state is not None else None
        if rounds is None:
            broken = iterate()
        else:
            broken = []
            self.play_rounds(node, rounds, bind, body, iterate)
        self._loop_else(node.orelse, broken)

    def play_rounds(
        self,
        node: cst.CSTNode,
        rounds: Sequence[Value],
        bind: Callable[[Value], None],
        body: Callable[[], None],
        iterate: Callable[[], object],
    ) -> None:
        """Play a loop round by round for its writes, and once more with joined rounds for all else.

        Writes in place and what they leave are known exactly then, and every other event is still told once.
        """
        walk = self._walk
        head = walk.state
        walk.round_depth += 1
        # A function that is called tells its caller the same of every round.
        with nullcontext() if walk.calls else walk.hearing(writes=True):
            for number, value in enumerate(rounds):
                with walk.within((node, number)):
                    bind(value)
                    body()
        walk.round_depth -= 1
        exact = walk.state
        if not walk.rehearsing and not walk.calls and walk.hears_writes is not True:
            walk.state = head
            with walk.hearing(writes=False):
                iterate()
        walk.state = exact

    def _while(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.While)
        truth = constant_truth(node.test)
        broken = self.iterate(
            lambda: None,
            lambda: self._suite(node.body),
            at_least_once=truth is True,
            test=lambda: self._expressions.evaluate(node.test),
        )
        if truth is True:
            self._walk.state = None
        self._loop_else(node.orelse, broken)

    def _loop_else(self, orelse: cst.Else | None, broken: list[State]) -> None:
        if orelse is not None and self._walk.state is not None:
            self._suite(orelse.body)
        self._walk.join_with(join(broken))

    def iterate(
        self,
        bind: Callable[[], None],
        body: Callable[[], None],
        *,
        at_least_once: bool,
        test: Callable[[], object] | None = None,
    ) -> list[State]:
        """Run a loop; leaves the state of the normal exit and gives those of the breaks."""
        walk = self._walk
        if walk.state is None:
            return []
        head = first = walk.state
        with walk.joined():
            if not walk.rehearsing:  # else the outer loop comes by again: one round is enough
                with walk.rehearsal():
                    for _ in range(_ROUNDS):
                        end, _ = self._round(head, bind, body, test)
                        joined = head if end is None else head.join(next_round(walk, end))
                        if joined == head:
                            break
                        head = joined
            end, broken = self._round(head, bind, body, test)
        if at_least_once:
            walk.state = end
        else:
            walk.state = first if end is None else first.join(end)
        return broken

    def _round(
        self,
        head: State,
        bind: Callable[[], None],
        body: Callable[[], None],
        test: Callable[[], object] | None,
    ) -> tuple[State | None, list[State]]:
        outer = self._breaks, self._continues
        self._breaks, self._continues = [], []
        self._walk.begin_round(head)
        if test is not None:
            test()
        bind()
        body()
        self._walk.join_with(join(self._continues))
        broken = self._breaks
        self._breaks, self._continues = outer
        return self._walk.state, broken

    def _with(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.With)
        walk = self._walk
        assert walk.state is not None
        outside = walk.state
        entered = self._expressions.enter(node)

        def left(state: State) -> State:
            return entered.left(state.under(outside))

        raised: list[State] = [walk.now()]
        self._raises.append(raised)
        with self._exits(left):
            self._suite(node.body)
        self._raises.pop()
        if walk.state is not None:
            walk.state = left(walk.state)
        if entered.swallows:
            walk.join_with(join([left(state) for state in raised]))
        self._expressions.leave(node)

    @contextmanager
    def _exits(self, on_exit: Callable[[State], State | None]) -> Iterator[None]:
        """Put every break, continue and return of the block through `on_exit`."""
        outer = self._breaks, self._continues, self._returns
        self._breaks, self._continues, self._returns = [], [], []
        yield
        for kept, left in zip(outer, (self._breaks, self._continues, self._returns), strict=True):
            kept.extend(state for item in left if (state := on_exit(item)) is not None)
        self._breaks, self._continues, self._returns = outer

    def _try(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Try | cst.TryStar)
        walk = self._walk
        assert walk.state is not None
        final = node.finalbody

        def silently_final(state: State) -> State | None:
            if final is None:
                return state
            normal, walk.state = walk.state, state
            # Where no path comes out of the whole statement, this is the only way into the finally.
            with walk.rehearsal() if normal is not None else nullcontext():
                self._suite(final.body)
            walk.state, after = normal, walk.state
            return after

        with self._exits(silently_final):
            raised: list[State] = [walk.now()]
            self._raises.append(raised)
            self._suite(node.body)
            self._raises.pop()
            if node.orelse is not None and walk.state is not None:
                self._suite(node.orelse.body)
            ends: list[State | None] = [walk.state]
            # A raise inside a region leaves it as well, and so has no part in the handler.
            caught = join([state.under(raised[0]) for state in raised])
            for handler in node.handlers:
                walk.state = caught
                if handler.name is not None and isinstance(handler.name.name, cst.Name):
                    self._expressions.assign(handler.name.name, frozenset(), None)
                self._suite(handler.body)
                ends.append(walk.state)
            walk.state = join([state for state in ends if state is not None])
        if final is not None and walk.state is not None:
            self._suite(final.body)

    def _match(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Match)
        walk = self._walk
        subject = self._expressions.evaluate(node.subject)
        before, ends, complete = walk.state, [], False
        for case in node.cases:
            walk.state = before
            self._expressions.bind_pattern(case.pattern, subject)
            if case.guard is not None:
                self._expressions.evaluate(case.guard)
            complete |= (
                case.guard is None and isinstance(case.pattern, cst.MatchAs) and case.pattern.pattern is None
            )
            self._suite(case.body)
            ends.append(walk.state)
        if not complete:
            ends.append(before)
        walk.state = join([state for state in ends if state is not None])

    def _function(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.FunctionDef)
        self._expressions.define(node)

    def _expr(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Expr)
        self._walk.bound[node.value] = ""
        self._expressions.discard(node)

    def _assign(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Assign)
        match node.targets:
            case [cst.AssignTarget(target=cst.Name("_"))]:
                return self._expressions.discard(node)
            case [cst.AssignTarget(target=cst.Name(name))]:
                self._walk.bound[node.value] = name
        value = self._expressions.evaluate(node.value)
        for target in node.targets:
            self._expressions.assign(target.target, value, node.value)

    def _annotated(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.AnnAssign)
        if node.value is not None:
            self._expressions.assign(node.target, self._expressions.evaluate(node.value), node.value)

    def _augmented(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.AugAssign)
        self._expressions.augment(node)

    def _return(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Return)
        walk = self._walk
        if node.value is not None:
            self._expressions.returned(self._expressions.evaluate(node.value), node)
        if walk.state is not None:
            self._returns.append(walk.state)
        walk.state = None

    def _raise(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Raise)
        if node.exc is not None:
            self._expressions.evaluate(node.exc)
        self._walk.state = None

    def _break(self, _: cst.CSTNode) -> None:
        if self._walk.state is not None:
            self._breaks.append(self._walk.state)
        self._walk.state = None

    def _continue(self, _: cst.CSTNode) -> None:
        if self._walk.state is not None:
            self._continues.append(self._walk.state)
        self._walk.state = None

    def _assert(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Assert)
        self._expressions.evaluate(node.test)

    def _outer(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Global | cst.Nonlocal)
        self._walk.outer_names |= {item.name.value for item in node.names}

    def _import(self, node: cst.CSTNode) -> None:
        assert isinstance(node, cst.Import | cst.ImportFrom)
        self._expressions.bind_import(node)
