"""A model function as people make it: that of ``models``, which platforms can be handed as well."""

from __future__ import annotations

import inspect
from types import FunctionType

from .models import function


class ModelFunction(function.ModelFunction):
    __doc__ = function.ModelFunction.__doc__

    def function(self) -> FunctionType:
        """A plain function that stands for this model where a platform loads one by its name, as Functions Framework
        does: ``fast = ModelFunction("fast", …).function()`` answers ``POST /models/fast`` as ``--target fast``."""
        from .framework.server import function_for

        here = inspect.currentframe()
        module = here.f_back.f_globals.get("__name__", "") if here is not None and here.f_back is not None else ""
        return function_for(self, module=str(module))
