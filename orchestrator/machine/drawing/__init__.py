"""Pictures of machines, as Mermaid and as SVG, and of what an execution did on them.

``sketch`` says what is to be seen: boxes for states, lines for ways, with the course of an execution on them.
``mermaid`` and ``svg`` write it; ``layout`` finds the places for ``svg``. ``course`` is what an execution did by its
states, and ``replay`` finds that out from a journal. All of it is pure: values in, texts out.
"""
