"""The seven patterns, each one short file built from the public face, to use or to copy."""

from .augmented_llm import augmented_llm
from .durable_agent import durable_agent
from .evaluator_optimizer import evaluator_optimizer
from .machines.shape import as_state_machine
from .orchestrator_workers import orchestrator_workers
from .parallelization import sections, vote
from .prompt_chaining import Link, prompt_chain
from .routing import routing

__all__ = [
    "Link",
    "as_state_machine",
    "augmented_llm",
    "durable_agent",
    "evaluator_optimizer",
    "orchestrator_workers",
    "prompt_chain",
    "routing",
    "sections",
    "vote",
]
