"""The agent, which calls tools and a model that live elsewhere."""

from tools import lookup, stock  # type: ignore[import-not-found]  # beside this file

from overwinter import Agent

desk = Agent("desk", "function:fast", tools=[lookup, stock])
