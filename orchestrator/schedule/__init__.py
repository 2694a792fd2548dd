"""Schedules: executions of their own that begin others at set times.

A schedule promises that each time of it is dealt with once, whatever crashes: its run has an id made of the schedule
and the time. Its decider is pure, like those of workflows and agents: the times follow from what it was told and from
the time of the facts, never from a clock. It rests as rows in the store; its wake time is that of its next run. It may
import what ``protocol`` and ``usercode`` say, and knows neither the engine nor the other deciders.
"""
