"""The registry of rules: the only list of them."""

from __future__ import annotations

from torchlint.rules.base import Rule
from torchlint.rules.tl003_unused_suppression import UnusedSuppression
from torchlint.rules.tl101_missing_eval import MissingEval
from torchlint.rules.tl102_eval_not_restored import EvalNotRestored
from torchlint.rules.tl103_graph_in_evaluation import GraphInEvaluation
from torchlint.rules.tl201_item_without_detach import ItemWithoutDetach
from torchlint.rules.tl202_graph_kept import GraphKept
from torchlint.rules.tl203_scalar_conversion_of_graph import ScalarConversionOfGraph
from torchlint.rules.tl204_item_in_hot_loop import ItemInHotLoop
from torchlint.rules.tl301_inplace_on_saved import InplaceOnSaved
from torchlint.rules.tl302_inplace_on_leaf import InplaceOnLeaf
from torchlint.rules.tl303_inplace_on_multi_view import InplaceOnMultiView
from torchlint.rules.tl304_write_behind_autograd import WriteBehindAutograd
from torchlint.rules.tl401_no_grad_for_inference import NoGradForInference
from torchlint.rules.tl402_inference_tensor_in_autograd import InferenceTensorInAutograd
from torchlint.rules.tl403_idle_grad_switch import IdleGradSwitch
from torchlint.rules.tl404_no_grad_at_the_border import NoGradAtTheBorder

RULES: tuple[type[Rule], ...] = (
    MissingEval,
    EvalNotRestored,
    GraphInEvaluation,
    ItemWithoutDetach,
    GraphKept,
    ScalarConversionOfGraph,
    ItemInHotLoop,
    InplaceOnSaved,
    InplaceOnLeaf,
    InplaceOnMultiView,
    WriteBehindAutograd,
    NoGradForInference,
    InferenceTensorInAutograd,
    IdleGradSwitch,
    NoGradAtTheBorder,
)
"""The rules that the engine asks."""

SELECTABLE: tuple[type[Rule], ...] = (UnusedSuppression, *RULES)
"""All that an option can name: with the rule about comments, which is asked when the others are done."""

_BY_WORD = {word: rule for rule in SELECTABLE for word in (rule.code, rule.name)}


def rule(word: str) -> type[Rule] | None:
    """The rule with this code or name."""
    return _BY_WORD.get(word)
