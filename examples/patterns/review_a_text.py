"""Parallelization: three reviewers at once, one of whom may fail; and a vote of five."""

from overwinter import Agent, Final, run
from overwinter.functions.model import Scripted
from overwinter.patterns import sections, vote

style = Agent("style", Scripted(["Shorter sentences."], "style"))
facts = Agent("facts", Scripted(["Winter has three months."], "facts"))
sleepy = Agent("sleepy", Scripted([Final("asleep")], "sleepy"))
review = sections("review", {"style": style, "facts": facts, "sleepy": sleepy}, tolerate=1)

judge = Agent("judge", Scripted({".*": "publish"}, "judge"))
verdict = vote("verdict", judge, times=5, needed=3)

if __name__ == "__main__":
    print(run(review, "Winter is long.", store="memory://"))
    print(run(verdict, "Winter is long.", store="memory://"))
